import { describe, expect, it } from 'vitest';
import type { ResourceRecord } from '../dns/message.ts';
import { addresses, answerOf, bulk, key, name, packet } from '../wirecache/testing/answers.ts';
import { BOOT_NS, mirrorBench, VIEW } from './testing/mirror-bench.ts';
import { plainShelf } from './testing/plain-shelf.ts';
import { ShelfReader } from './testing/shelf-reader.ts';

const OLD = Uint8Array.of(192, 0, 2, 1);
const NEW = Uint8Array.of(192, 0, 2, 2);

function record(owner: string, type: number, bytes: number, fill = 7): ResourceRecord {
  return { name: name(owner), type, class: 1, ttlSeconds: 30, rdata: new Uint8Array(bytes).fill(fill) };
}

/** Three that are alike but for their data. */
function run(owner: string, type: number, bytes: number): readonly ResourceRecord[] {
  return [1, 2, 3].map((fill) => record(owner, type, bytes, fill));
}

function lastByte(reply: { readonly bytes: Uint8Array } | undefined): number | undefined {
  return reply?.bytes.at(-1);
}

describe('createAnswerMirror', () => {
  it('has what is stored in the same turn, in any case of letters, and no longer than it lives', () => {
    const bench = mirrorBench();
    bench.store('www.example.', addresses('www.example.', 2, OLD, 30));
    const query = packet('wWw.ExAmPlE.');
    expect(bench.ask(query)?.bytes).toEqual(bench.askThread(query));
    expect(bench.ask(query)).toBeDefined();
    expect(bench.ask(packet('www.example.', 28))).toBeUndefined();
    expect(bench.ask(query, VIEW + 1)).toBeUndefined();
    bench.clock.pass(29_999);
    expect(bench.ask(query)?.bytes).toEqual(bench.askThread(query));
    bench.clock.pass(1);
    expect(bench.ask(query)).toBeUndefined();
    expect(bench.askThread(query)).toBeUndefined();
  });

  it.each([255, 252, 251, 250, 249, 254, 253, 128])('never has type %i: the server is asked', (type) => {
    const bench = mirrorBench();
    bench.store('a.example.', addresses('a.example.', 1, OLD), 'success', { type });
    expect(bench.askThread(packet('a.example.', type))).toBeDefined();
    expect(bench.ask(packet('a.example.', type))).toBeUndefined();
    expect(bench.mirror.stats.entries).toBe(0);
  });

  it('says when an answer was stored by the clock that the programs read', () => {
    const bench = mirrorBench();
    bench.clock.pass(1234);
    bench.store('a.example.', addresses('a.example.', 1, OLD, 30));
    const [found] = bench.reader.slots();
    expect(found?.slot.storedNs).toBe(BOOT_NS + 1_234_000_000n);
    expect(found?.slot.untilNs).toBe(BOOT_NS + 31_234_000_000n);
  });

  it.each([
    [
      'replaced',
      (bench: ReturnType<typeof mirrorBench>) => bench.store('a.example.', addresses('a.example.', 1, NEW)),
    ],
    [
      'removed',
      (bench: ReturnType<typeof mirrorBench>) => bench.partition.remove(key('a.example.'), 'success'),
    ],
    ['purged', (bench: ReturnType<typeof mirrorBench>) => bench.partition.purge([name('example.')])],
    ['of a partition that closes', (bench: ReturnType<typeof mirrorBench>) => bench.partition.close()],
    [
      'of listeners that are replaced',
      (bench: ReturnType<typeof mirrorBench>) => bench.mirror.replaceListeners([]),
    ],
    ['of a shelf that is left', (bench: ReturnType<typeof mirrorBench>) => bench.mirror.useShelf(undefined)],
  ])('never gives an old answer that was %s', (_, change) => {
    const bench = mirrorBench();
    bench.store('a.example.', addresses('a.example.', 1, OLD));
    expect(lastByte(bench.ask(packet('a.example.')))).toBe(1);
    change(bench);
    expect(lastByte(bench.ask(packet('a.example.')))).not.toBe(1);
    bench.settle();
    expect(lastByte(bench.ask(packet('a.example.')))).not.toBe(1);
  });

  it('gives the answers that the cache would: a denial before a success, a success before an error, none in doubt', () => {
    const nothing = { ...answerOf([]), rcode: 3, ttlSeconds: 30 };
    const error = { ...answerOf([]), rcode: 2, serverError: true, ttlSeconds: 5 };
    const bench = mirrorBench();
    bench.store('a.example.', addresses('a.example.', 1, OLD));
    bench.store('a.example.', nothing, 'denial');
    expect((bench.ask(packet('a.example.'))?.bytes[3] ?? 0) & 15).toBe(3);
    bench.store('a.example.', error, 'denial');
    expect(lastByte(bench.ask(packet('a.example.')))).toBe(1);
    bench.partition.remove(key('a.example.'), 'success');
    expect(bench.ask(packet('a.example.'))).toBeUndefined();
    const doubtful = mirrorBench({ spec: { positiveFirst: true } });
    doubtful.store('a.example.', addresses('a.example.', 1, OLD));
    doubtful.store('a.example.', nothing, 'denial');
    expect(doubtful.ask(packet('a.example.'))).toBeUndefined();
    doubtful.partition.remove(key('a.example.'), 'denial');
    expect(lastByte(doubtful.ask(packet('a.example.')))).toBe(1);
  });

  it('takes the longest zone of each listener that holds the name, and leaves zones alone that lead elsewhere', () => {
    const bench = mirrorBench({ zones: ['.', 'a.example.'] });
    const [first, second] = bench.partitions;
    first?.insert(key('x.a.example.'), 'success', addresses('x.a.example.', 1, OLD));
    expect(bench.ask(packet('x.a.example.'))).toBeUndefined();
    second?.insert(key('x.a.example.'), 'success', addresses('x.a.example.', 1, NEW));
    expect(lastByte(bench.ask(packet('x.a.example.')))).toBe(2);
    first?.remove(key('x.a.example.'), 'success');
    expect(lastByte(bench.ask(packet('x.a.example.')))).toBe(2);
    first?.insert(key('ba.example.'), 'success', addresses('ba.example.', 1, OLD));
    expect(lastByte(bench.ask(packet('ba.example.')))).toBe(1);
    const [
      {
        routes: [root, zone],
      } = { routes: [] },
    ] = [bench.listener()];
    if (root === undefined || zone === undefined) throw new Error('two zones');
    bench.mirror.replaceListeners([
      { view: 1, routes: [root, { zone: zone.zone }] },
      { view: 2, routes: [root] },
      { view: 3, routes: [zone] },
    ]);
    expect(bench.reader.slots()).toEqual([]);
    first?.insert(key('x.a.example.'), 'success', addresses('x.a.example.', 1, OLD));
    bench.settle();
    const views = [1, 2, 3].map((view) => lastByte(bench.ask(packet('x.a.example.'), view)));
    expect(views).toEqual([undefined, 1, 2]);
  });

  it('leaves out what the programs could not give as the cache does', () => {
    const bench = mirrorBench();
    const one = addresses('a.example.', 1, OLD);
    bench.store('a.example.', one, 'success', { class: 3 });
    bench.store('a.example.', one, 'success', { type: 43 });
    bench.store('a\\000b.example.', addresses('a\\000b.example.', 1, OLD));
    bench.store('many.example.', addresses('many.example.', 17, OLD));
    bench.store('big.example.', bulk('big.example.', 1024));
    bench.store('odd.example.', { ...one, rcode: 5 });
    expect(bench.reader.slots()).toEqual([]);
    bench.store('sixteen.example.', addresses('sixteen.example.', 16, OLD));
    bench.store('long.example.', bulk('long.example.', 900));
    expect(bench.reader.slots().map(({ isLarge }) => isLarge)).toEqual([true, true]);
    expect(bench.ask(packet('sixteen.example.'))?.bytes).toEqual(bench.askThread(packet('sixteen.example.')));
  });

  it('tells which records may come in any order', () => {
    const bench = mirrorBench({ route: { shuffle: true } });
    bench.store('even.example.', addresses('even.example.', 3, OLD));
    expect(bench.ask(packet('even.example.'))?.rotates).toBe(true);
    bench.store('odd.example.', addresses('odd.example.', 3, OLD));
    expect(bench.ask(packet('odd.example.'))?.rotates).toBe(true);
    bench.store('odd.example.', addresses('odd.example.', 1, OLD));
    expect(bench.ask(packet('odd.example.'))?.rotates).toBe(false);
    const plain = mirrorBench();
    plain.store('even.example.', addresses('even.example.', 3, OLD));
    expect(plain.ask(packet('even.example.'))?.rotates).toBe(false);
  });

  it.each([
    { what: 'A for an odd name', type: 1, records: run('odd.example.', 1, 4), rotates: true },
    { what: 'AAAA for an odd name', type: 28, records: run('odd.example.', 28, 16), rotates: true },
    {
      what: 'A of another name, behind CNAME records',
      type: 1,
      records: [record('odd.example.', 5, 13), ...run('x.example.', 1, 4)],
      rotates: true,
    },
    { what: 'addresses among all types', type: 255, records: run('odd.example.', 1, 4), rotates: undefined },
    {
      what: 'addresses of the other family',
      type: 1,
      records: run('odd.example.', 28, 16),
      rotates: undefined,
    },
    { what: 'addresses that are none', type: 1, records: run('odd.example.', 1, 6), rotates: undefined },
    { what: 'mail servers', type: 15, records: run('odd.example.', 15, 16), rotates: undefined },
    {
      what: "mail servers' addresses under an odd name",
      type: 15,
      records: [record('odd.example.', 15, 16)],
      additionals: run('mx1.odd.example.', 1, 4),
      rotates: undefined,
    },
    {
      what: "mail servers' addresses under an even name",
      type: 15,
      records: [record('odd.example.', 15, 16)],
      additionals: run('mail.odd.example.', 1, 4),
      rotates: true,
    },
  ])('knows whether the programs can turn $what', ({ type, records, additionals = [], rotates }) => {
    const bench = mirrorBench({ route: { shuffle: true } });
    const answer = answerOf([...records, ...additionals]);
    const counts = { answers: records.length, authorities: 0, additionals: additionals.length };
    bench.store('odd.example.', { ...answer, counts }, 'success', { type });
    // The reader refuses a slot whose run is not as the contract says.
    expect(bench.ask(packet('odd.example.', type))?.rotates).toBe(rotates);
  });

  it('carries the limits of its route', () => {
    const bench = mirrorBench({ route: { limitBytes: 1232, logged: true }, spec: { keepTtl: true } });
    bench.store('a.example.', addresses('a.example.', 1, OLD));
    const [found] = bench.reader.slots();
    expect(found?.slot).toMatchObject({ limitBytes: 1232, flags: 5, ttlSeconds: 30 });
  });

  it('fills a shelf with what is there already, little by little, and again when listeners change', () => {
    // So many sets that hardly ever, whatever the seed, more of the names come into one than it has places.
    const size = { sets: 4096, smallSlots: 2048 };
    const bench = mirrorBench({ shelf: size });
    bench.mirror.useShelf(undefined);
    const names = Array.from({ length: 1000 }, (_, i) => `n${i}.example.`);
    for (const text of names) bench.store(text, addresses(text, 1, OLD));
    bench.settle();
    const memory = plainShelf(size);
    bench.mirror.useShelf(memory);
    expect(bench.mirror.stats.entries).toBe(0);
    for (let turns = 0; bench.mirror.stats.entries < 1000; turns++) {
      const { entries } = bench.mirror.stats;
      bench.turn();
      expect(bench.mirror.stats.entries - entries).toBeLessThan(200);
      expect(turns).toBeLessThan(100);
    }
    bench.settle();
    expect(bench.mirror.stats.entries).toBe(1000);
    const reader = new ShelfReader(memory);
    for (const text of names) expect(reader.answer(packet(text), VIEW, bench.nowNs())).toBeDefined();
    bench.mirror.replaceListeners([bench.listener(1), bench.listener(2)]);
    expect(bench.mirror.stats.entries).toBe(0);
    // Half of the slots rest: what finds none waits for them.
    for (let i = 0; i < 5; i++) {
      bench.settle();
      bench.clock.pass(1000);
    }
    expect(bench.mirror.stats.entries).toBeGreaterThan(1900);
    bench.mirror.close();
  });

  it('touches no shelf that it let go of', () => {
    const bench = mirrorBench();
    bench.store('a.example.', addresses('a.example.', 1, OLD));
    bench.mirror.close();
    bench.store('b.example.', addresses('b.example.', 1, OLD));
    bench.settle();
    bench.clock.pass(10_000);
    expect(bench.reader.slots()).toHaveLength(1);
    expect(bench.clock.pending).toBe(0);
  });
});
