/**
 * How often each of a few numbers came, in memory of fixed size: a `Map` takes ten times as long for each packet, and grows
 * for whoever makes numbers up.
 */
export const MOST_OTHERS = 32;

export class CountTable {
  readonly #most: number;
  readonly #mask: number;
  /** Open addressing, half full at most. */
  readonly #keys: Int32Array;
  readonly #counts: Float64Array;
  /** In the order in which they came. */
  readonly #places: Int32Array;
  #size = 0;

  /** `most` numbers are kept apart, 0 to 2^32 - 1. */
  constructor(most: number) {
    let places = 2;
    while (places < 2 * (most + MOST_OTHERS)) places *= 2;
    this.#most = most;
    this.#mask = places - 1;
    this.#keys = new Int32Array(places);
    this.#counts = new Float64Array(places);
    this.#places = new Int32Array(most + MOST_OTHERS);
  }

  /** Where there is no room for `key` counts `other`, one of at most `MOST_OTHERS`, for which there always is. */
  add(key: number, other: number): void {
    let kept = key | 0;
    let place = this.#find(kept);
    if (this.#counts[place] === 0 && this.#size >= this.#most) {
      kept = other | 0;
      place = this.#find(kept);
    }
    const count = this.#counts[place] ?? 0;
    if (count === 0) {
      this.#keys[place] = kept;
      this.#places[this.#size++] = place;
    }
    this.#counts[place] = count + 1;
  }

  /** Those that came first come first. */
  entries(): readonly (readonly [key: number, count: number])[] {
    return Array.from(this.#places.subarray(0, this.#size), (place) => [
      (this.#keys[place] ?? 0) >>> 0,
      this.#counts[place] ?? 0,
    ]);
  }

  /** Where the number is, or the free place that it would have. */
  #find(key: number): number {
    let place = Math.imul(key ^ (key >>> 15), 0x9e3779b1) >>> 8;
    for (place &= this.#mask; ; place = (place + 1) & this.#mask) {
      if (this.#counts[place] === 0 || this.#keys[place] === key) return place;
    }
  }
}
