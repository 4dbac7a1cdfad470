/** How the status of a row moves on, shared by both implementations of the datapath. */
import { errorText } from '../fault/app-error.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { RowStatus } from './datapath.ts';

/** What came of one try: nothing to say, or the error. */
export type Outcome = { readonly changed: boolean } | { readonly error: unknown };

/** `since` only moves when the state does; `attempts` counts tries since the row was last done. */
export function nextStatus(previous: RowStatus | undefined, outcome: Outcome, nowMs: number): RowStatus {
  if ('error' in outcome) {
    const since = previous?.state === 'error' ? previous.sinceMs : nowMs;
    const attempts = previous?.state === 'error' ? previous.attempts + 1 : 1;
    return { state: 'error', sinceMs: since, attempts, error: errorText(outcome.error) };
  }
  if (previous?.state === 'done' && !outcome.changed) return previous;
  return {
    state: 'done',
    sinceMs: nowMs,
    attempts: (previous?.state === 'error' ? previous.attempts : 0) + 1,
  };
}

const RETRY_FIRST_MS = 250;
const RETRY_MOST_MS = 30_000;

/** Doubles from a quarter of a second to half a minute. */
export function retryDelayMs(attempts: number): number {
  return Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** Math.min(attempts - 1, 16));
}

/** Milliseconds since the epoch with microseconds behind the point, which the wall clock alone does not give. */
export function preciseNow(clock: Clock): () => number {
  let base = clock.nowMs() - clock.monotonicMs();
  return () => {
    const wall = clock.nowMs();
    const precise = base + clock.monotonicMs();
    // The wall clock was set, or drifted: follow it.
    if (Math.abs(wall - precise) <= 2) return precise;
    base = wall - clock.monotonicMs();
    return wall;
  };
}
