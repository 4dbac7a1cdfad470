/** Time is injected wherever behaviour depends on it, so that replay tests can turn the hands themselves. */
// The global of this name is a getter that costs more than the reading of the clock behind it.
import { performance } from 'node:perf_hooks';

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Milliseconds of a clock that never jumps; only differences mean anything. */
  monotonicMs(): number;
  /** Does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/**
 * How long to wait for the next multiple of `periodMs`: whoever looks for something again and again does so together with
 * the others, because waking the process up costs more than the look. At least a quarter of the period, at most five.
 */
export function untilTick(clock: Pick<Clock, 'monotonicMs'>, periodMs: number): number {
  const leftMs = periodMs - (clock.monotonicMs() % periodMs);
  return Math.ceil(leftMs < periodMs / 4 ? leftMs + periodMs : leftMs);
}
