import { expect, test } from 'vitest';
import { untilTick } from './clock.ts';

const at = (nowMs: number) => untilTick({ monotonicMs: () => nowMs }, 50);

test.each([
  { name: 'on a tick, the next one', nowMs: 100, waitMs: 50 },
  { name: 'a little late, the next one all the same', nowMs: 112.5, waitMs: 38 },
  { name: 'a little early, not the same one twice', nowMs: 99.4, waitMs: 51 },
  { name: 'in the middle, the next one', nowMs: 130, waitMs: 20 },
])('untilTick waits $name', ({ nowMs, waitMs }) => {
  expect(at(nowMs)).toBe(waitMs);
});
