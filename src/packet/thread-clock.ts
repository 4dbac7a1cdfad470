/**
 * The main thread's clock as another thread reads it. `performance.now()` begins with its thread; what both have in common
 * is `CLOCK_MONOTONIC`, which is dear to read: so each thread measures once how far its own clock is from it.
 */
import { performance } from 'node:perf_hooks';
import { readTogether } from '../telemetry/two-clocks.ts';

/** `performance.now()` of this thread less `CLOCK_MONOTONIC`, milliseconds; good to a microsecond. */
export function clockOffsetMs(): number {
  const { ms, ns } = readTogether(
    () => performance.now(),
    () => process.hrtime.bigint(),
  );
  return ms - Number(ns) / 1e6;
}
