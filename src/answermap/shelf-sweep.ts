/**
 * Adds up once a second what the programs counted in the slots of a shelf, a little at a time. A large shelf is swept over
 * several seconds.
 */
import type { Clock, Timer } from '../telemetry/clock.ts';
import type { Shelf } from './shelf.ts';

const SWEEP_MS = 1000;
/** About half a millisecond. */
const SLOTS_IN_TURN = 4096;
const TURNS_IN_SWEEP = 64;
/** Up to here the whole shelf is looked at in one go when somebody asks for the sums. */
const MOST_AT_ONCE = 32_768;

export class ShelfSweep {
  readonly #shelf: Shelf;
  readonly #clock: Clock;
  readonly #later: (run: () => void) => void;
  #timer: Timer | undefined;
  #isClosed = false;
  /** Small slots, then large ones. */
  #at = 0;

  constructor(shelf: Shelf, clock: Clock, later: (run: () => void) => void) {
    this.#shelf = shelf;
    this.#clock = clock;
    this.#later = later;
    this.#wait();
  }

  /** Of a large shelf, what the sweeps came across until now has to do. */
  now(): void {
    const { small, large } = this.#shelf;
    if (small.touched + large.touched <= MOST_AT_ONCE) this.#sweep(0, MOST_AT_ONCE);
  }

  /** After a last look at everything. */
  close(): void {
    const { small, large } = this.#shelf;
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#sweep(0, small.touched + large.touched);
  }

  #wait(): void {
    this.#timer = this.#clock.after(SWEEP_MS, () => this.#turn(TURNS_IN_SWEEP));
  }

  #turn(left: number): void {
    if (this.#isClosed) return;
    const { small, large } = this.#shelf;
    this.#sweep(this.#at, SLOTS_IN_TURN);
    this.#at += SLOTS_IN_TURN;
    const isThrough = this.#at >= small.touched + large.touched;
    if (isThrough) this.#at = 0;
    if (isThrough || left === 1) this.#wait();
    else this.#later(() => this.#turn(left - 1));
  }

  #sweep(from: number, count: number): void {
    const { small, large } = this.#shelf;
    const ofSmall = Math.max(0, Math.min(small.touched - from, count));
    small.sweep(from, ofSmall);
    large.sweep(Math.max(0, from - small.touched), count - ofSmall);
  }
}
