/** Who has a slot when there are not enough of them. */
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../telemetry/virtual-clock.ts';
import { addresses, bulk, key, packet } from '../wirecache/testing/answers.ts';
import { runFlood } from './testing/flood.ts';
import { mirrorBench } from './testing/mirror-bench.ts';

const OLD = Uint8Array.of(192, 0, 2, 1);

type Bench = ReturnType<typeof mirrorBench>;

function store(bench: Bench, count: number, prefix: string): readonly string[] {
  const texts = Array.from({ length: count }, (_, i) => `${prefix}${i}.example.`);
  for (const text of texts) bench.store(text, addresses(text, 1, OLD, 3000));
  return texts;
}

/** The process is stopped, once, just after it has looked at the clock. */
class StoppingClock extends VirtualClock {
  stopMs = 0;

  override monotonicMs(): number {
    const now = super.monotonicMs();
    const { stopMs } = this;
    this.stopMs = 0;
    if (stopMs > 0) this.pass(stopMs);
    return now;
  }
}

function found(bench: Bench, texts: readonly string[]): readonly string[] {
  return texts.filter((text) => bench.reader.answer(packet(text), 7, bench.nowNs()) !== undefined);
}

describe('the room of a shelf', () => {
  it('goes to those that the programs have use for: a flood of names asked once drives none of them out', () => {
    const bench = mirrorBench({ shelf: { sets: 1024, smallSlots: 1024 } });
    const kept = store(bench, 300, 'kept');
    for (let round = 0; round < 40; round++) {
      expect(found(bench, kept)).toHaveLength(kept.length);
      store(bench, 50, `flood${round}-`);
      bench.clock.pass(1000);
      bench.settle();
    }
    expect(bench.mirror.stats.turnedAway).toBeGreaterThan(1000);
    expect(bench.mirror.stats.entries).toBeGreaterThan(900);
  });

  // Each of the popular names is renewed two to four times, and misses once for it; of the slots 63 may rest at a time.
  it.each([
    { rate: 3000, isAhead: true, asks: 1 as const },
    { rate: 3000, isAhead: false, asks: 1 as const },
    { rate: 500, isAhead: true, asks: 2 as const },
  ])(
    'stays theirs when they are renewed amid a flood of $rate names a second, each asked for $asks times',
    (flood) => {
      const of = { slots: 1000, cacheEntries: 10_000, hot: 50, seconds: 16, ttlSeconds: 4 };
      const { share, stats } = runFlood({ ...of, ...flood });
      expect(share).toBeGreaterThan(0.95);
      expect(stats.turnedAway).toBeGreaterThan(1000);
    },
  );

  it('goes to a name that is asked for again, however many are asked for once', () => {
    const bench = mirrorBench({ shelf: { sets: 256, smallSlots: 256, largeSlots: 0 } });
    store(bench, 1000, 'other');
    const [late = ''] = store(bench, 1, 'late');
    expect(found(bench, [late])).toEqual([]);
    expect(bench.askThread(packet(late))).toBeDefined();
    for (let i = 0; i < 4; i++) {
      store(bench, 20, `flood${i}-`);
      bench.clock.pass(1000);
      bench.settle();
    }
    expect(found(bench, [late])).toEqual([late]);
  });

  it('goes to a name that is asked for again much later, when nobody else comes', () => {
    const bench = mirrorBench({ shelf: { sets: 256, smallSlots: 256, largeSlots: 0 } });
    store(bench, 1000, 'other');
    const [late = ''] = store(bench, 1, 'late');
    bench.clock.pass(10_000);
    bench.settle();
    bench.askThread(packet(late));
    bench.clock.pass(30_000);
    bench.settle();
    expect(found(bench, [late])).toEqual([late]);
  });

  it('goes to a name that is stored again, which nobody asked for in between', () => {
    const bench = mirrorBench({ shelf: { sets: 256, smallSlots: 256, largeSlots: 0 } });
    store(bench, 1000, 'other');
    store(bench, 1, 'late');
    bench.clock.pass(100_000);
    const late = store(bench, 1, 'late');
    expect(found(bench, late)).toEqual(late);
  });

  it('of a full set goes to the newcomer, in place of the one that is least asked for', () => {
    const bench = mirrorBench({ shelf: { sets: 1, smallSlots: 64 } });
    const eight = store(bench, 8, 'a');
    for (const [i, text] of eight.entries())
      for (let n = i === 5 ? 1 : 3; n > 0; n--) bench.ask(packet(text));
    store(bench, 1, 'b');
    const there = bench.reader.slots().map(({ number }) => number);
    expect(there).toHaveLength(8);
    expect(bench.ask(packet('a5.example.'))).toBeUndefined();
    expect(bench.ask(packet('b0.example.'))).toBeDefined();
  });

  it('keeps in the cache what only the programs are asked for', () => {
    const bench = mirrorBench({
      shelf: { sets: 1024, smallSlots: 1024 },
      spec: { successEntries: 100 },
    });
    const kept = store(bench, 50, 'kept');
    for (let round = 0; round < 20; round++) {
      found(bench, kept);
      bench.clock.pass(1000);
      bench.settle();
      store(bench, 40, `flood${round}-`);
    }
    expect(found(bench, kept)).toHaveLength(kept.length);
  });

  it('is not used again for a second: who found an answer may still read it', () => {
    const bench = mirrorBench({ shelf: { sets: 64, smallSlots: 16 } });
    const freedAt = new Map<string, number>();
    const held = () => new Set(bench.reader.slots().map(({ number, isLarge }) => `${isLarge} ${number}`));
    let before = held();
    for (let step = 0; step < 1000; step++) {
      const text = `n${(step * 7) % 23}.example.`;
      if (step % 5 === 0) bench.partition.remove(key(text), 'success');
      else bench.store(text, step % 3 === 0 ? bulk(text, 500) : addresses(text, 1, OLD));
      const now = held();
      const nowMs = bench.clock.monotonicMs();
      for (const slot of before) if (!now.has(slot)) freedAt.set(slot, nowMs);
      for (const slot of now) {
        if (!before.has(slot)) expect(nowMs - (freedAt.get(slot) ?? -1e9)).toBeGreaterThanOrEqual(1000);
      }
      before = now;
      bench.clock.pass((step * 37) % 200);
      bench.settle();
    }
    expect(freedAt.size).toBeGreaterThan(16);
  });

  it('is not used for a second when somebody else had it until now', () => {
    const bench = mirrorBench();
    store(bench, 3, 'a');
    bench.mirror.useShelf(bench.memory);
    expect(bench.reader.slots()).toHaveLength(0);
    bench.settle();
    expect(bench.reader.slots()).toHaveLength(0);
    bench.clock.pass(1000);
    bench.settle();
    expect(found(bench, ['a0.example.', 'a1.example.', 'a2.example.'])).toHaveLength(3);
  });

  it('is not used for a second when who had it died while it wrote', () => {
    const bench = mirrorBench();
    store(bench, 3, 'a');
    bench.mirror.close();
    // The first slot is written again, the others are found.
    new Uint32Array(bench.memory.small.buffer)[0] = 0;
    expect(bench.reader.slots()).toHaveLength(3);
    const next = mirrorBench({ memory: bench.memory });
    expect(next.reader.slots()).toHaveLength(0);
    store(next, 1, 'b');
    expect(found(next, ['b0.example.'])).toEqual([]);
    next.clock.pass(2000);
    next.settle();
    expect(found(next, ['b0.example.'])).toHaveLength(1);
  });

  it('rests from when nobody finds it, not from when a process that was stopped had last looked at its clock', () => {
    const clock = new StoppingClock();
    const bench = mirrorBench({ clock, shelf: { sets: 64, smallSlots: 1, largeSlots: 0 } });
    for (let i = 0; i < 2; i++) store(bench, 1, 'a');
    expect(bench.reader.slots()).toHaveLength(1);
    clock.stopMs = 5000;
    bench.partition.remove(key('a0.example.'), 'success');
    expect(clock.stopMs).toBe(0);
    bench.clock.pass(999);
    // The first time, it is not worth the only slot.
    for (let i = 0; i < 2; i++) store(bench, 1, 'b');
    expect(bench.reader.slots()).toHaveLength(0);
    bench.clock.pass(1);
    store(bench, 1, 'b');
    expect(bench.reader.slots()).toHaveLength(1);
  });

  it('is never given at the price of an old answer: without a slot for the new one there is none', () => {
    const bench = mirrorBench({ shelf: { sets: 64, smallSlots: 4, largeSlots: 0 } });
    for (let version = 0; version < 20; version++) {
      bench.store('a.example.', addresses('a.example.', 1, Uint8Array.of(10, 0, 0, version), 3000));
      const reply = bench.ask(packet('a.example.'));
      expect([undefined, version]).toContain(reply?.bytes.at(-1));
    }
    expect(bench.mirror.stats.turnedAway).toBeGreaterThan(0);
    expect(bench.ask(packet('a.example.'))).toBeUndefined();
    // It is tried again by itself.
    bench.partition.lookup(key('a.example.'), 'success');
    bench.clock.pass(3000);
    bench.settle();
    expect(bench.ask(packet('a.example.'))?.bytes.at(-1)).toBe(19);
  });

  it('costs at most 10 MB for 10,000 entries, what this process notes of them included', () => {
    const size = { sets: 4096, smallSlots: 10_000, largeSlots: 1250 };
    const bench = mirrorBench({ shelf: size });
    const { places, small, large } = bench.memory;
    const shared = places.byteLength + small.byteLength + large.byteLength;
    expect(shared).toBeLessThan(6.6e6);
    // Columns of `SlotPool`, a reference and a double among them: per slot.
    const own = (size.smallSlots + size.largeSlots) * (3 * 4 + 8 + 1 + 2 + 1 + 28 + 4 + 4 + 8);
    expect(shared + own).toBeLessThan(7.4e6);
    store(bench, 10_000, 'n');
    expect(bench.mirror.stats.entries).toBeGreaterThan(9300);
  });
});
