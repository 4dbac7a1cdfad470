import { describe, expect, it } from 'vitest';
import { readTogether } from './two-clocks.ts';

describe('readTogether', () => {
  it('turns milliseconds of this process into CLOCK_MONOTONIC, far below a millisecond off', () => {
    const { ms, ns } = readTogether(
      () => performance.now(),
      () => process.hrtime.bigint(),
    );
    const offset = Number(ns) - ms * 1e6;
    const before = process.hrtime.bigint();
    const now = performance.now() * 1e6 + offset;
    const after = process.hrtime.bigint();
    expect(now).toBeGreaterThan(Number(before) - 100_000);
    expect(now).toBeLessThan(Number(after) + 100_000);
  });

  it('does not believe a look in whose middle the thread was put aside', () => {
    let [ms, looks] = [1000, 0];
    const pass = (by: number) => {
      ms += by;
    };
    const two = readTogether(
      () => {
        // Between the two readings, before the one and behind the other; the fourth look is a quick one.
        looks++;
        if (looks === 1 || looks === 3) pass(40);
        const read = ms;
        if (looks === 2 || looks === 3) pass(25);
        return read;
      },
      () => BigInt(ms) * 1_000_000n,
    );
    expect(BigInt(two.ms) * 1_000_000n).toBe(two.ns);
  });
});
