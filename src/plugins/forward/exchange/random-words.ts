/**
 * Numbers that nobody can foretell from earlier ones (RFC 5452 section 9.2), drawn from the system's generator thousands
 * at a time: asking it for each query would cost as much as sending the query.
 */

/** Fills the array with uniform random bits from a cryptographic source. */
export type Fill = (words: Uint16Array) => void;

const BATCH_WORDS = 4096;

export class RandomWords {
  readonly #fill: Fill;
  readonly #words = new Uint16Array(BATCH_WORDS);
  #used = BATCH_WORDS;

  constructor(fill: Fill) {
    this.#fill = fill;
  }

  /** Uniform in 0 to 65535. */
  next(): number {
    if (this.#used === BATCH_WORDS) {
      this.#fill(this.#words);
      this.#used = 0;
    }
    return this.#words[this.#used++] ?? 0;
  }

  /** In 0 to `bound` - 1, for bounds of at most some hundreds: the bias is then below one in a hundred. */
  below(bound: number): number {
    return (this.next() * bound) >>> 16;
  }
}
