import { expect, it } from 'vitest';
import { formatAge } from './format-age.ts';

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

// What kubectl prints for these durations.
it.each([
  { age: -5 * S, text: '0s' },
  { age: 15 * S, text: '15s' },
  { age: 119 * S, text: '119s' },
  { age: 2 * M, text: '2m' },
  { age: 2 * M + 5 * S, text: '2m5s' },
  { age: 10 * M + 5 * S, text: '10m' },
  { age: 3 * H + 10 * M, text: '3h10m' },
  { age: 8 * H + 10 * M, text: '8h' },
  { age: 47 * H, text: '47h' },
  { age: 2 * D + 3 * H, text: '2d3h' },
  { age: 8 * D + 3 * H, text: '8d' },
  { age: 800 * D, text: '2y70d' },
  { age: 3650 * D, text: '10y' },
  { age: Number.NaN, text: '<unknown>' },
])('formatAge of $age ms is $text', ({ age, text }) => {
  expect(formatAge(age)).toBe(text);
});
