import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Deadline, DeadlineQueue } from './deadline-queue.ts';
import { VirtualClock } from './virtual-clock.ts';

describe('DeadlineQueue', () => {
  it('calls back after the delay, not before, and once', () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, 2000);
    let calls = 0;
    queue.add(() => calls++);
    clock.pass(1999);
    expect(calls).toBe(0);
    clock.pass(1);
    clock.pass(5000);
    expect(calls).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('needs one timer for a thousand questions that are answered', () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, 2000);
    for (let i = 0; i < 1000; i++) {
      const deadline = queue.add(() => expect.fail('it was removed'));
      clock.pass(1);
      queue.remove(deadline);
    }
    expect(clock.started).toBe(1);
    clock.pass(2000);
    expect(clock.pending).toBe(0);
  });

  it('property: every deadline that was not removed in time expires exactly when it is due', () => {
    const step = fc.record({ waitMs: fc.integer({ min: 0, max: 700 }), removes: fc.option(fc.nat(50)) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new VirtualClock();
        const queue = new DeadlineQueue(clock, 1000);
        const expired = new Map<number, number>();
        const expected = new Map<number, number>();
        const made: Deadline[] = [];
        for (const [i, { waitMs, removes }] of steps.entries()) {
          expected.set(i, clock.monotonicMs() + 1000);
          made.push(queue.add(() => expired.set(i, clock.monotonicMs())));
          const victim = removes === null ? undefined : made[removes];
          if (victim !== undefined && removes !== null) {
            queue.remove(victim);
            if (!expired.has(removes)) expected.delete(removes);
          }
          clock.pass(waitMs);
        }
        clock.pass(1000);
        expect([...expired].sort()).toEqual([...expected].sort());
        expect(clock.pending).toBe(0);
      }),
    );
  });
});
