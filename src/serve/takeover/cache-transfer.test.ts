import { expect, it } from 'vitest';
import { replyTo } from '../../dns/reply.ts';
import { setup as any } from '../../plugins/any/setup.ts';
import { setup as cache } from '../../plugins/cache/setup.ts';
import type { CacheControl } from '../../plugins/contract.ts';
import { fakeHost, name, setUp } from '../../plugins/fake-host.ts';
import { ask, record } from '../../plugins/fake-query.ts';
import { exportCaches, importCaches, receivingCachesOf } from './cache-transfer.ts';

/** Keeps entries as they come, unless they begin with `!`. */
function fakeCache(zones: readonly string[], entries: readonly string[] = []) {
  const held = entries.map((text) => Buffer.from(text));
  const control: CacheControl = {
    zones: zones.map(name),
    dump: () => [],
    lookup: () => [],
    flush: () => 0,
    exportEntries: () => held,
    importEntry(entry) {
      const isTaken = !Buffer.from(entry).toString().startsWith('!');
      if (isTaken) held.push(Buffer.from(entry));
      return isTaken;
    },
  };
  return { control, texts: () => held.map(String) };
}

async function* later(lines: Iterable<string>): AsyncGenerator<string> {
  yield* lines;
}

it('entries go to the cache of the same zones, the first to the first, and nowhere else', async () => {
  const many = Array.from({ length: 20 }, (_, i) => `entry ${i}`);
  const from = [
    fakeCache(['.'], ['a', '!refused']),
    fakeCache(['a.org.', 'b.org.'], many),
    fakeCache(['.'], ['b']),
    fakeCache(['gone.org.'], ['lost']),
    fakeCache(['.'], ['third']),
  ];
  const into = [fakeCache(['.']), fakeCache(['.']), fakeCache(['new.org.']), fakeCache(['a.org.', 'b.org.'])];
  const lines = later(exportCaches(from.map(({ control }) => control)));
  const count = await importCaches(
    into.map(({ control }) => control),
    lines,
  );
  expect(into.map(({ texts }) => texts())).toEqual([['a'], ['b'], [], many]);
  expect(count).toBe(22);
});

it('what a plugin in front of the cache answers is not taken from a process that had no such plugin', async () => {
  const host = fakeHost();
  const instance = setUp(cache, 'cache 30', { host });
  const answers = instance.plugin?.(({ message, question }) => ({
    rcode: 0,
    message: replyTo(message, { answers: [record(`${question.name} 300 A 192.0.2.1`)] }),
  }));
  await answers?.(ask('a.example.'));
  await answers?.(ask('a.example.', 'ANY'));
  const lines = [...exportCaches(instance.cacheControl === undefined ? [] : [instance.cacheControl])];
  const take = async (words: readonly string[]) => {
    const records = words.map((word, at) => {
      const own = word === 'any' ? setUp(any, word) : setUp(cache, word, { host: fakeHost() });
      return { word, block: at < 2 ? 0 : 1, instance: own };
    });
    return importCaches(receivingCachesOf({ records }), later(lines));
  };
  expect(await take(['cache'])).toBe(2);
  expect(await take(['any', 'cache'])).toBe(1);
  expect(await take(['any', 'any', 'cache'])).toBe(2);
});

it('lines that mean nothing are none', async () => {
  const cache = fakeCache(['.']);
  expect(
    await importCaches([cache.control], later(['', 'YQ==', 'cache nosuch.', 'YQ==', 'cache .', ''])),
  ).toBe(1);
});
