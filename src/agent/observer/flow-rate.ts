/** Flows a second over the last minute, from a count that only grows and is looked at now and then. */
import { type Clock, type Timer, untilTick } from '../../telemetry/clock.ts';

const WINDOW_MS = 60_000;
const LOOK_MS = 5000;

interface Look {
  readonly atMs: number;
  readonly count: number;
}

export class FlowRate {
  readonly #clock: Clock;
  readonly #count: () => number;
  /** Oldest first; the first is a minute old, or the start. */
  readonly #looks: Look[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock, count: () => number) {
    this.#clock = clock;
    this.#count = count;
    this.#look();
  }

  perSecond(): number {
    const now = this.#now();
    const since = this.#looks[0] ?? now;
    const seconds = (now.atMs - since.atMs) / 1000;
    return seconds <= 0 ? 0 : (now.count - since.count) / seconds;
  }

  close(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const now = this.#now();
    this.#looks.push(now);
    while ((this.#looks[1]?.atMs ?? now.atMs) <= now.atMs - WINDOW_MS) this.#looks.shift();
    this.#timer = this.#clock.after(untilTick(this.#clock, LOOK_MS), () => this.#look());
  }

  #now(): Look {
    return { atMs: this.#clock.monotonicMs(), count: this.#count() };
  }
}
