import { expect, it } from 'vitest';
import type { CacheControl } from '../../plugins/contract.ts';
import { name } from '../../plugins/fake-host.ts';
import { exportCaches, importCaches } from './cache-transfer.ts';

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

it('lines that mean nothing are none', async () => {
  const cache = fakeCache(['.']);
  expect(
    await importCaches([cache.control], later(['', 'YQ==', 'cache nosuch.', 'YQ==', 'cache .', ''])),
  ).toBe(1);
});
