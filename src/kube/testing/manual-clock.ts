/** A clock whose hands tests turn. Second implementation of `Clock`; no product code imports it. */
import type { Clock, Timer } from '../../telemetry/clock.ts';

export interface ManualClock extends Clock {
  /** Runs what falls due, in order, including what that starts. */
  advance(ms: number): void;
  /** Timers that have neither run nor been cancelled. */
  pending(): number;
}

/** Begins on 22 November 2026, so that dates made from it look like dates. */
export function createManualClock(startMs = Date.UTC(2026, 10, 22)): ManualClock {
  const timers = new Set<{ readonly dueMs: number; readonly run: () => void }>();
  let elapsedMs = 0;
  const nextDue = (untilMs: number) =>
    [...timers].filter((timer) => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    after(delayMs, run): Timer {
      const timer = { dueMs: elapsedMs + delayMs, run };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
    advance(ms) {
      const untilMs = elapsedMs + ms;
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        timers.delete(timer);
        elapsedMs = Math.max(elapsedMs, timer.dueMs);
        timer.run();
      }
      elapsedMs = untilMs;
    },
    pending: () => timers.size,
  };
}
