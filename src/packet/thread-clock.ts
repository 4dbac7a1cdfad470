/**
 * The main thread's clock as another thread reads it. `performance.now()` begins with its thread; what both have in common
 * is `CLOCK_MONOTONIC`, which is dear to read: so each thread measures once how far its own clock is from it.
 */
import { performance } from 'node:perf_hooks';

const SAMPLES = 16;

/** `performance.now()` of this thread less `CLOCK_MONOTONIC`, milliseconds; good to a microsecond. */
export function clockOffsetMs(): number {
  let best = { tookMs: Number.POSITIVE_INFINITY, offsetMs: 0 };
  for (let i = 0; i < SAMPLES; i++) {
    // A thread that is put off between two readings would be wrong by as long: the quickest sample is the truest.
    const beforeMs = performance.now();
    const monotonicMs = Number(process.hrtime.bigint()) / 1e6;
    const afterMs = performance.now();
    const tookMs = afterMs - beforeMs;
    if (tookMs < best.tookMs) best = { tookMs, offsetMs: (beforeMs + afterMs) / 2 - monotonicMs };
  }
  return best.offsetMs;
}
