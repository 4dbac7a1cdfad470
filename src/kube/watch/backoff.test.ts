import { expect, it } from 'vitest';
import { createBackoff } from './backoff.ts';

it('createBackoff doubles up to the maximum, spread over the upper half, and starts over after reset', () => {
  const draws = [0, 0.999, 0, 0, 0, 0];
  const backoff = createBackoff({ firstMs: 200, maxMs: 1000, random: () => draws.shift() ?? 0 });
  const waits = [1, 2, 3, 4, 5].map(() => Math.round(backoff.nextMs()));
  expect(waits).toEqual([100, 400, 400, 500, 500]);
  backoff.reset();
  expect(backoff.nextMs()).toBe(100);
});
