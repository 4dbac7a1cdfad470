/** What the programs answered, as the cache and its metrics hear of it. */
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../dns/encode-message.ts';
import { plainQuery } from '../dns/plain-query.ts';
import { addresses, answerOf, key, name, packet } from '../wirecache/testing/answers.ts';
import { ANSWER_SLOT_AT } from './answer-abi.gen.ts';
import { SMALL_SLOT_BYTES } from './shelf-memory.ts';
import { mirrorBench, VIEW } from './testing/mirror-bench.ts';

const OLD = Uint8Array.of(192, 0, 2, 1);

/** With an OPT record, and with so many bytes of options. */
function withOpt(text: string, optionBytes: number): Uint8Array {
  const plain = new Uint8Array(encodeMessage(plainQuery({ name: name(text), type: 1 })));
  const bytes = new Uint8Array(plain.length + 11 + optionBytes);
  bytes.set(plain);
  bytes[11] = 1;
  bytes.set([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, optionBytes], plain.length);
  return bytes;
}

describe('AnswerMirror.takeTotals', () => {
  it('gives what was answered since the last call, as packet threads would have counted it', () => {
    const bench = mirrorBench({ zones: ['example.'] });
    bench.store('a.example.', addresses('a.example.', 2, OLD));
    bench.store('b.example.', { ...answerOf([]), rcode: 3, ttlSeconds: 30 }, 'denial');
    const plain = packet('a.example.');
    const cookie = withOpt('a.example.', 12);
    for (let i = 0; i < 3; i++) bench.ask(plain);
    bench.ask(withOpt('a.example.', 0), VIEW, 6);
    bench.ask(cookie, VIEW, 6);
    bench.ask(packet('b.example.'));
    bench.ask(packet('c.example.'));
    const [only, ...others] = bench.mirror.takeTotals();
    expect(others).toEqual([]);
    const reply = plain.length + 2 * (11 + 14);
    expect(only).toEqual({
      view: VIEW,
      zone: name('example.'),
      totals: {
        transport: 'udp',
        requests: [
          { family: '1', type: 1, count: 4 },
          { family: '2', type: 1, count: 2 },
        ],
        rcodes: [
          { rcode: 0, count: 5 },
          { rcode: 3, count: 1 },
        ],
        doRequests: 0,
        requestSizes: [{ upTo: 100, count: 6 }],
        requestBytes: 6 * plain.length + 11 + cookie.length - plain.length,
        responseSizes: [{ upTo: 100, count: 6 }],
        responseBytes: 5 * reply + plain.length,
        durations: [{ upToSeconds: 0.000_25, count: 6 }],
        durationSeconds: 0,
        successHits: 5,
        denialHits: 1,
      },
    });
    expect(bench.mirror.takeTotals()).toEqual([]);
  });

  it('forgets nothing of a large shelf that is emptied, and looks at a small part of it at a time', () => {
    const bench = mirrorBench({
      shelf: { sets: 16_384, smallSlots: 36_000 },
      spec: { successEntries: 36_000 },
      budgetBytes: 64 << 20,
    });
    const texts = Array.from({ length: 33_500 }, (_, i) => `n${i}.example.`);
    for (const text of texts) bench.store(text, addresses(text, 1, OLD, 3000));
    const entries = bench.mirror.stats.entries;
    let asked = 0;
    for (let i = 0; i < texts.length; i += 4) if (bench.ask(packet(texts[i] ?? '')) !== undefined) asked++;
    const { small } = bench.memory;
    const words = new Uint32Array(small.buffer, small.byteOffset, small.length / 4);
    const unseen = () => {
      let count = 0;
      for (let at = ANSWER_SLOT_AT.used / 4; at < words.length; at += SMALL_SLOT_BYTES / 4) {
        if (words[at] !== 0) count++;
      }
      return count;
    };
    expect(unseen()).toBe(asked);
    let told = 0;
    const take = () => {
      for (const { totals } of bench.mirror.takeTotals()) told += totals.successHits;
    };
    bench.mirror.replaceListeners([bench.listener(VIEW + 1)]);
    expect(bench.reader.slots()).toHaveLength(0);
    expect(bench.mirror.stats.entries).toBe(0);
    let left = unseen();
    expect(left).toBeGreaterThan(asked / 3);
    for (let turns = 0; left > 0; turns++) {
      take();
      // What is stored meanwhile has to wait: nobody may write where a program still reads.
      bench.store('new.example.', addresses('new.example.', 1, OLD));
      expect(bench.reader.slots()).toHaveLength(0);
      bench.turn();
      expect(left - unseen()).toBeLessThanOrEqual(4096 / 4);
      left = unseen();
      expect(turns).toBeLessThan(1000);
    }
    take();
    expect(told).toBe(asked);
    for (let i = 0; i < 4; i++) {
      bench.clock.pass(1000);
      bench.settle();
    }
    expect(bench.ask(packet('new.example.'), VIEW + 1)).toBeDefined();
    expect(bench.mirror.stats.entries).toBeGreaterThan(entries - 1000);
  });

  it('forgets nothing when answers go, slots are used again, shelves and listeners are replaced', () => {
    const bench = mirrorBench({ shelf: { sets: 16, smallSlots: 8, largeSlots: 2 } });
    let asked = 0;
    let told = 0;
    const take = () => {
      for (const { totals } of bench.mirror.takeTotals()) told += totals.successHits;
    };
    for (let step = 0; step < 1500; step++) {
      const text = `n${(step * 5) % 17}.example.`;
      if (step % 3 === 0) bench.store(text, addresses(text, 1, OLD, 3000));
      if (step % 11 === 0) bench.partition.remove(key(text), 'success');
      if (bench.ask(packet(text)) !== undefined) asked++;
      if (step % 7 === 0) bench.clock.pass(150);
      if (step % 500 === 499) bench.mirror.replaceListeners([bench.listener()]);
      if (step % 300 === 299) take();
      bench.settle();
    }
    bench.mirror.useShelf(undefined);
    take();
    expect(asked).toBeGreaterThan(100);
    expect(told).toBe(asked);
  });

  it('counts on when a counter runs over', () => {
    const bench = mirrorBench();
    const hits = new Uint32Array(bench.memory.small.buffer, 96, 1);
    hits[0] = 0xffff_fffe;
    bench.store('a.example.', addresses('a.example.', 1, OLD));
    for (let i = 0; i < 5; i++) bench.ask(packet('a.example.'));
    expect(hits[0]).toBe(3);
    expect(bench.mirror.takeTotals()[0]?.totals.successHits).toBe(5);
  });

  it("makes an answer that is asked for due: from then on it is the server's, which counts on from there", () => {
    const spec = { prefetch: { hits: 3, gapMs: 60_000, percent: 10 } };
    const bench = mirrorBench({ spec });
    for (const text of ['hot.example.', 'cold.example.']) bench.store(text, addresses(text, 1, OLD, 300));
    const [hot, cold] = [packet('hot.example.'), packet('cold.example.')];
    for (let i = 0; i < 5; i++) {
      bench.clock.pass(50_000);
      expect(bench.ask(hot)).toBeDefined();
    }
    bench.clock.pass(19_999);
    expect(bench.ask(hot)?.bytes.length).toBeGreaterThan(0);
    bench.settle();
    bench.clock.pass(1);
    // 30 of 300 seconds are left.
    expect(bench.ask(hot)).toBeUndefined();
    expect(bench.ask(cold)).toBeUndefined();
    bench.clock.pass(1000);
    bench.settle();
    expect(bench.askThread(hot)).toBeUndefined();
    expect(bench.partition.lookup(key('hot.example.'), 'success')?.hits).toBe(6);
    expect(bench.askThread(cold)).toBeDefined();
  });
});
