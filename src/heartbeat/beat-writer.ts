/** The beat of one packet thread: a word that the kernel's programs read, written by nobody else. */
import { openLibc } from '../sys/libc.ts';

/** Between two readings of the system's clock, which a busy thread would otherwise pay for every batch. */
const SPARE_MS = 20;
const WORD_BYTES = 8;

export class BeatWriter {
  readonly #word: BigUint64Array;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** `address` is that of a word of a `BeatRow`, which stays mapped for as long as this is used. */
  constructor(address: bigint) {
    this.#word = new BigUint64Array(openLibc().memoryAt(address, WORD_BYTES));
  }

  /** Call it at every turn, at least every 100 ms. `nowMs` is of any clock that goes on by itself. */
  tick(nowMs: number): void {
    if (nowMs - this.#lastMs < SPARE_MS) return;
    this.#lastMs = nowMs;
    Atomics.store(this.#word, 0, process.hrtime.bigint());
  }
}
