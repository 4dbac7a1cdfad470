import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAnswerCache } from './answer-cache.ts';
import type { AnswerKey, Partition, PartitionSpec } from './contract.ts';
import { createPacketAnswerer } from './packet-answerer.ts';
import { addresses, bulk, holds, key, name, packetSlot } from './testing/answers.ts';

const MIB = 1 << 20;
const IP = Uint8Array.of(192, 0, 2, 1);

const cacheOf = (budgetBytes = 4 * MIB, random = Math.random) => createAnswerCache({ budgetBytes, random });

function roomFor(successEntries: number, cache = cacheOf(), other: Partial<PartitionSpec> = {}): Partition {
  return cache.open({ successEntries, denialEntries: 4, keepTtl: false, prefetch: undefined, ...other });
}

const put = (partition: Partition, text: string) =>
  partition.insert(key(text), 'success', addresses(text, 1, IP)).success;

describe('Partition', () => {
  it('gives back what was put in, whatever the case of the name', () => {
    const partition = roomFor(10);
    const answer = addresses('www.Example.org.', 3, IP, 77);
    partition.insert(key('WWW.example.org.'), 'success', answer);
    const stored = partition.lookup(key('www.EXAMPLE.org.'), 'success');
    expect(stored).toEqual({ ...answer, share: 'success', hits: 0 });
  });

  const others: [what: string, other: Partial<AnswerKey>][] = [
    ['type', { type: 28 }],
    ['class', { class: 3 }],
    ['DO', { dnssecOk: true }],
    ['CD', { checkingDisabled: true }],
    ['name', { name: name('ww.example.org.') }],
  ];
  it.each(others)('never takes a question for one that differs in %s', (_what, other) => {
    const partition = roomFor(10);
    put(partition, 'www.example.org.');
    expect(partition.lookup(key('www.example.org.', other), 'success')).toBeUndefined();
  });

  it('keeps the two shares of a name apart, and the partitions', () => {
    const cache = cacheOf();
    const [one, two] = [roomFor(10, cache), roomFor(10, cache)];
    put(one, 'a.example.');
    expect(one.lookup(key('a.example.'), 'denial')).toBeUndefined();
    expect(holds(two, 'a.example.')).toBe(false);
    one.remove(key('a.example.'), 'denial');
    expect(holds(one, 'a.example.')).toBe(true);
    one.remove(key('A.example.'), 'success');
    expect(holds(one, 'a.example.')).toBe(false);
    expect(one.entries).toEqual({ success: 0, denial: 0 });
  });

  it('takes out what came first and was not used since', () => {
    const partition = roomFor(3);
    for (const text of ['a.', 'b.', 'c.']) put(partition, text);
    holds(partition, 'a.');
    expect(put(partition, 'd.')).toBe(1);
    expect(['a.', 'b.', 'c.', 'd.'].filter((text) => holds(partition, text))).toEqual(['a.', 'c.', 'd.']);
  });

  it('keeps the names that are asked all the time through a flood of names asked once', () => {
    const partition = roomFor(100);
    const popular = Array.from({ length: 50 }, (_, i) => `popular${i}.`);
    for (const text of popular) put(partition, text);
    for (let i = 0; i < 5000; i++) {
      holds(partition, popular[i % popular.length] ?? '');
      put(partition, `once${i}.`);
    }
    expect(popular.filter((text) => holds(partition, text))).toHaveLength(50);
  });

  it('makes as much room as a large answer needs, and leaves out what would never fit', () => {
    const partition = roomFor(10);
    for (let i = 0; i < 9; i++) partition.insert(key(`n${i}.`), 'success', bulk(`n${i}.`, 1000));
    const { success } = partition.insert(key('large.'), 'success', bulk('large.', 6000));
    expect(success).toBeGreaterThanOrEqual(5);
    expect(partition.lookup(key('large.'), 'success')?.records).toHaveLength(6017);
    partition.insert(key('large.'), 'success', bulk('large.', 11_000));
    expect(holds(partition, 'large.')).toBe(false);
  });

  it('forgets names and what is below them, and nothing else', () => {
    const partition = roomFor(10);
    const texts = ['a.example.', 'b.a.example.', 'ba.example.', 'example.', 'a.example.org.'];
    for (const text of texts) put(partition, text);
    expect(partition.purge([name('A.Example.'), name('nobody.')])).toBe(2);
    expect(texts.filter((text) => holds(partition, text))).toEqual([
      'ba.example.',
      'example.',
      'a.example.org.',
    ]);
    expect(partition.purge([name('.')])).toBe(3);
  });

  it('lists what it holds, and keeps nothing once it is closed', () => {
    const partition = roomFor(10);
    put(partition, 'a.example.');
    expect([...partition.list()]).toMatchObject([{ key: key('a.example.'), answer: { ttlSeconds: 30 } }]);
    partition.close();
    put(partition, 'b.example.');
    expect([...partition.list()]).toEqual([]);
  });

  it('counts hits as long as they come often enough', () => {
    const partition = roomFor(10, cacheOf(), { prefetch: { hits: 3, gapMs: 1000, percent: 10 } });
    put(partition, 'a.example.');
    const hits = [100, 200, 1300, 1400].map((ms) => partition.countHit(key('a.example.'), 'success', ms));
    expect(hits).toEqual([1, 2, 1, 2]);
    expect(partition.lookup(key('a.example.'), 'success')?.hits).toBe(2);
  });

  it('agrees with a plain map on whatever is still there, even when all names share few places', () => {
    const step = fc.record({
      act: fc.constantFrom('insert', 'insert', 'lookup', 'remove'),
      name: fc.integer({ min: 0, max: 30 }),
      bytes: fc.constantFrom(0, 30, 100, 300, 900),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.constantFrom(0, 0.37), (steps, seed) => {
        const partition = roomFor(
          20,
          cacheOf(MIB, () => seed),
        );
        const model = new Map<string, number>();
        for (const { act, name: index, bytes } of steps) {
          const text = `n${index}.example.`;
          if (act === 'insert') {
            partition.insert(key(text), 'success', bulk(text, bytes));
            model.set(text, bytes);
          } else if (act === 'remove') {
            partition.remove(key(text), 'success');
            model.delete(text);
          }
          const stored = partition.lookup(key(text), 'success');
          if (stored !== undefined)
            expect(stored.records).toHaveLength(text.length + 11 + (model.get(text) ?? Number.NaN));
          if (act === 'insert') expect(stored).toBeDefined();
          expect(partition.entries.success).toBeLessThanOrEqual(20);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('AnswerCache', () => {
  it('stays within its budget, and tells a partition whose entries another one pushed out', () => {
    const cache = cacheOf(MIB);
    let crowdedOut = 0;
    const first = roomFor(100_000, cache, { onCrowdedOut: () => void crowdedOut++ });
    const second = roomFor(100_000, cache);
    let ownOfFirst = 0;
    for (let i = 0; i < 3000; i++) ownOfFirst += put(first, `first${i}.example.`);
    let own = 0;
    for (let i = 0; i < 20_000; i++) own += put(second, `second${i}.example.`);
    expect(cache.usedBytes).toBeLessThanOrEqual(MIB);
    expect(crowdedOut).toBe(3000 - ownOfFirst - first.entries.success);
    expect(crowdedOut).toBeGreaterThan(2000);
    expect(own).toBe(20_000 - second.entries.success);
  });

  it('does without an insertion rather than wait for a reader, and goes on when the reader is back', () => {
    const cache = cacheOf(MIB);
    const partition = roomFor(100_000, cache);
    const seat = cache.openSeat();
    const reader = createPacketAnswerer(cache.shared, {
      seat: seat?.number ?? 0,
      packets: packetSlot().packets,
    });
    reader.begin();
    for (let i = 0; i < 20_000; i++) put(partition, `n${i}.example.`);
    expect(holds(partition, 'n19999.example.')).toBe(false);
    reader.end(0);
    put(partition, 'late.example.');
    expect(holds(partition, 'late.example.')).toBe(true);
  });

  it('is not held up by a reader that died within a batch, once its seat is closed', () => {
    const cache = cacheOf(MIB);
    const partition = roomFor(100_000, cache);
    const seat = cache.openSeat();
    createPacketAnswerer(cache.shared, { seat: seat?.number ?? 0, packets: packetSlot().packets }).begin();
    seat?.close();
    for (let i = 0; i < 20_000; i++) put(partition, `n${i}.example.`);
    expect(holds(partition, 'n19999.example.')).toBe(true);
  });

  /** As `Math.random` that draws first the seed of the hash, then its multiplier. */
  const drawing = (...words: number[]) => {
    const drawn = words.values();
    return () => (drawn.next().value ?? 0) / 2 ** 32;
  };
  it.each([
    ['in 27 MB', 27e6, drawing(0x1234_5678, 0x9e37_79b1)],
    // One process in a thousand draws numbers by which a set is full before the average says so: its table doubles early.
    ['in 31 MB where a set is full early', 31e6, drawing(1_903_622_690, 3_483_554_617)],
    ['whatever the hash', 31e6, Math.random],
  ])(
    'keeps a hundred thousand names of one address %s',
    (_where, bytes, random) => {
      const cache = cacheOf(64 * MIB, random);
      const partition = roomFor(200_000, cache);
      for (let i = 0; i < 100_000; i++) put(partition, `service-${i}.some-namespace.svc.local.`);
      expect(partition.entries.success).toBe(100_000);
      expect(cache.usedBytes).toBeLessThan(bytes);
    },
    30_000,
  );
});
