/**
 * Keeps a server that has nothing to do as small as it can be. The engine keeps what a start or a burst made it take; when
 * the process has grown and then been idle, its garbage is collected and free pages go back to the system. Packet
 * threads go on answering meanwhile: only the main thread stands still, for a tenth of a second at worst, when hardly
 * anybody waits for it. A busy main thread is left alone.
 */
import type { Clock } from '../../telemetry/clock.ts';

/** The first look comes soon: most of what a start took is garbage at once. */
const FIRST_LOOK_MS = 2000;
const LOOK_MS = 5000;
/** Of the main thread's time between two looks. */
const IDLE_SHARE = 0.05;
/** Growth that is worth the work. */
const GROWTH_BYTES = 6 * 1024 * 1024;
/** From one time to the next: a page of metrics now and then is no reason to collect as often. */
const PAUSE_MS = 20_000;

export interface Spare {
  /** How long the main thread has worked so far, milliseconds; what it waited does not count. */
  busyMs(): number;
  residentBytes(): number;
  /** Collects garbage and gives pages back. */
  giveBack(): void;
}

/** Returns the way to stop it. */
export function giveBackWhenIdle(spare: Spare, clock: Clock): () => void {
  let settledBytes = 0;
  let lastGivenMs = Number.NEGATIVE_INFINITY;
  let lastMs = clock.monotonicMs();
  let lastBusyMs = spare.busyMs();
  let timer = clock.after(FIRST_LOOK_MS, look);
  return () => timer.cancel();

  function look(): void {
    const nowMs = clock.monotonicMs();
    const busyMs = spare.busyMs();
    const isIdle = busyMs - lastBusyMs < IDLE_SHARE * (nowMs - lastMs);
    const isDue = nowMs - lastGivenMs >= PAUSE_MS;
    if (isIdle && isDue && spare.residentBytes() > settledBytes + GROWTH_BYTES) {
      lastGivenMs = nowMs;
      spare.giveBack();
      settledBytes = spare.residentBytes();
    }
    lastMs = clock.monotonicMs();
    lastBusyMs = spare.busyMs();
    timer = clock.after(LOOK_MS, look);
  }
}
