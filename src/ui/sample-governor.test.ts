import { expect, it } from 'vitest';
import { SampleGovernor } from './sample-governor.ts';

/** So many seconds of so many flows, of which the governor is given its part; the parts it asked for. */
function seconds(governor: SampleGovernor, count: number, flows: number): number[] {
  return Array.from({ length: count }, () => {
    governor.count(Math.round(flows / governor.oneIn));
    governor.turn();
    return governor.oneIn;
  });
}

it('asks for everything while that is little', () => {
  expect(new Set(seconds(new SampleGovernor(), 60, 2900))).toEqual(new Set([1]));
});

it('asks for so little of much that it comes to about the same, from the next second on', () => {
  for (const flows of [5000, 90_000, 400_000]) {
    const governor = new SampleGovernor();
    expect(seconds(governor, 1, flows)[0]).toBeGreaterThan(1);
    seconds(governor, 5, flows);
    expect(flows / governor.oneIn).toBeGreaterThan(700);
    expect(flows / governor.oneIn).toBeLessThanOrEqual(3000);
  }
});

it('keeps the part while the rate stays, and asks for everything again when it is over', () => {
  const governor = new SampleGovernor();
  seconds(governor, 3, 90_000);
  expect(new Set(seconds(governor, 100, 90_000)).size).toBe(1);
  seconds(governor, 120, 500);
  expect(governor.oneIn).toBe(1);
});
