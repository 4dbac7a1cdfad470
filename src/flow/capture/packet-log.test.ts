import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketLog } from './packet-log.ts';

/** A record of `length` bytes whose every word is `mark`. */
function record(mark: number, length: number) {
  const words = new Int32Array((length + 3) >> 2).fill(mark);
  return { words, bytes: new Uint8Array(words.buffer) };
}

const add = (log: PacketLog, mark: number, length: number, flows = 1) =>
  log.add(record(mark, length), 0, length, { flows, latencyNs: mark });

function marksOf(log: PacketLog, sequence: number): ReadonlySet<number> {
  const packet = log.at(sequence);
  if (packet === undefined) return new Set();
  const start = packet.at >> 2;
  return new Set(packet.memory.words.subarray(start, start + (packet.length >> 2)));
}

const range = (log: PacketLog) => Array.from({ length: log.next - log.oldest }, (_, n) => log.oldest + n);

describe('PacketLog', () => {
  it.each([
    { asked: 1, capacity: 1 },
    { asked: 4095, capacity: 4095 },
    { asked: 4096, capacity: 8191 },
    { asked: 1_000_000, capacity: 65535 },
  ])('has room for 2^n - 1 flows: $asked becomes $capacity', ({ asked, capacity }) => {
    expect(new PacketLog(asked).capacity).toBe(capacity);
  });

  const steps = fc.array(
    fc.oneof(
      fc.record({ length: fc.integer({ min: 22, max: 540 }).map((words) => words * 4), flows: fc.nat(6) }),
      fc.record({ lost: fc.integer({ min: 1, max: 9 }) }),
    ),
    { maxLength: 400 },
  );
  it('holds an unbroken run of the newest, each as it came, and never more flows than it may', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), steps, (asked, all) => {
        const log = new PacketLog(asked);
        for (const [mark, step] of all.entries()) {
          if ('lost' in step) log.addLoss(step.lost);
          else add(log, mark, step.length, step.flows);
          const held = range(log).map((n) => log.at(n)?.flows ?? 0);
          expect(log.flowsHeld).toBe(held.reduce((sum, flows) => sum + flows, 0));
          expect(log.flowsHeld <= log.capacity || held.filter((flows) => flows > 0).length === 1).toBe(true);
        }
        expect(log.next).toBe(all.length);
        expect(all.length === 0 || log.oldest < log.next).toBe(true);
        for (let n = log.oldest; n < log.next; n++) {
          const step = all[n];
          if (step === undefined || 'lost' in step) expect(log.at(n)).toMatchObject({ lost: step?.lost });
          else {
            expect(log.at(n)).toMatchObject({
              length: step.length,
              flows: step.flows,
              latencyNs: n,
              lost: 0,
            });
            expect(marksOf(log, n)).toEqual(new Set([n]));
          }
        }
        expect([log.at(log.oldest - 1), log.at(log.next)]).toEqual([undefined, undefined]);
      }),
      { numRuns: 60 },
    );
  });

  it('takes as much memory when it is full as when it is empty', () => {
    const log = new PacketLog(1023);
    add(log, 1, 200);
    const memory = log.at(0)?.memory;
    for (let n = 0; n < 5000; n++) add(log, n, 88 + (n % 2000));
    expect(log.at(log.next - 1)?.memory).toBe(memory);
    expect(memory?.bytes.length).toBeLessThan(256 * 1024);
  });

  it('wakes those who wait, once', () => {
    const log = new PacketLog(7);
    let woken = 0;
    const stop = log.onNext(() => woken++);
    log.onNext(() => woken++);
    stop();
    add(log, 1, 88);
    add(log, 2, 88);
    expect(woken).toBe(1);
  });

  it('keeps records that were put where it said as it keeps copies of others', () => {
    const step = fc.record({
      lengths: fc.array(fc.integer({ min: 84, max: 400 }), { minLength: 1, maxLength: 12 }),
      inPlace: fc.boolean(),
      skips: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const log = new PacketLog(63);
        let last = 0;
        for (const { lengths, inPlace, skips } of steps) {
          const bytes = lengths.reduce((sum, length) => sum + ((length + 7) & ~7), 0);
          const room = inPlace ? log.room(bytes) : undefined;
          let at = room?.at ?? 0;
          expect(at % 8).toBe(0);
          // All are there before the first is added, as a batch of the kernel's ring is.
          const first = last + 1;
          last += lengths.length;
          lengths.forEach((length, i) => {
            room?.memory.words.fill(first + i, at >> 2, (at + length + 3) >> 2);
            at += (length + 7) & ~7;
          });
          at = room?.at ?? 0;
          lengths.forEach((length, i) => {
            if (!(skips && i % 3 === 2)) {
              const mark = first + i;
              if (room === undefined) add(log, mark, length);
              else log.add(room.memory, at, length, { flows: 1, latencyNs: mark });
            }
            at += (length + 7) & ~7;
          });
          for (const sequence of range(log)) {
            const kept = marksOf(log, sequence);
            expect(kept).toEqual(new Set([log.at(sequence)?.latencyNs]));
          }
        }
        expect(log.next - log.oldest).toBeGreaterThan(0);
      }),
    );
  });

  it('knows whether a follower waits, also while it looks at what it was woken for', () => {
    const log = new PacketLog(7);
    expect(log.wasAwaited()).toBe(false);
    log.onNext(() => undefined);
    add(log, 1, 100);
    expect(log.wasAwaited()).toBe(true);
    expect(log.wasAwaited()).toBe(false);
    const stop = log.onNext(() => undefined);
    expect([log.wasAwaited(), log.wasAwaited()]).toEqual([true, true]);
    stop();
    expect(log.wasAwaited()).toBe(false);
  });
});
