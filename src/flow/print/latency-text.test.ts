import { expect, it } from 'vitest';
import { latencyText } from './latency-text.ts';

it.each([
  [0, '0.0 us'],
  [2_149, '2.1 us'],
  [99_940, '99.9 us'],
  [99_950, '100 us'],
  [999_499, '999 us'],
  [999_500, '1.00 ms'],
  [12_345_678n, '12.35 ms'],
])('tells %s ns as %s', (ns, text) => {
  expect(latencyText(ns)).toBe(text);
});
