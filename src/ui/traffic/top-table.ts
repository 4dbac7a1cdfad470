/**
 * The busiest keys, in a table of fixed size (Metwally, Agrawal, El Abbadi: Space-Saving, 2005): a newcomer takes the place
 * of the one with the least weight and starts with that weight, so whoever is busy gets in, and stays in while busy.
 * Weights fade, and with them the claim of those who have become quiet. What belongs to a key is made anew with each owner.
 */
interface Place<T> {
  readonly value: T;
  weight: number;
}

export interface TopTableSpec<T> {
  readonly places: number;
  readonly create: () => T;
}

/** What is left of a weight after a second: half after half a minute. */
const FADE = 0.977;
const GONE = 0.05;

export class TopTable<T> {
  readonly #places = new Map<string, Place<T>>();
  readonly #spec: TopTableSpec<T>;
  /** Keys that had to leave for others. */
  crowdedOut = 0;

  constructor(spec: TopTableSpec<T>) {
    this.#spec = spec;
  }

  get size(): number {
    return this.#places.size;
  }

  touch(key: string): T {
    const place = this.#places.get(key) ?? this.#take(key);
    place.weight++;
    return place.value;
  }

  get(key: string): T | undefined {
    return this.#places.get(key)?.value;
  }

  /** Heaviest first. */
  top(count: number): readonly (readonly [key: string, value: T])[] {
    return [...this.#places]
      .sort(([, a], [, b]) => b.weight - a.weight)
      .slice(0, count)
      .map(([key, { value }]) => [key, value] as const);
  }

  /** Each owner and what is its own, in no order. */
  *values(): IterableIterator<T> {
    for (const { value } of this.#places.values()) yield value;
  }

  /** Once a second. `isKept` may hold on to what nobody touches any more. */
  fade(isKept: (value: T) => boolean): void {
    for (const [key, place] of this.#places) {
      place.weight *= FADE;
      if (place.weight < GONE && !isKept(place.value)) this.#places.delete(key);
    }
  }

  #take(key: string): Place<T> {
    let weight = 0;
    if (this.#places.size >= this.#spec.places) {
      const [least, place] = this.#least();
      weight = place?.weight ?? 0;
      this.#places.delete(least);
      this.crowdedOut++;
    }
    const place = { value: this.#spec.create(), weight };
    this.#places.set(key, place);
    return place;
  }

  #least(): readonly [string, Place<T> | undefined] {
    let key = '';
    let least: Place<T> | undefined;
    for (const [each, place] of this.#places) {
      if (least !== undefined && place.weight >= least.weight) continue;
      key = each;
      least = place;
    }
    return [key, least];
  }
}
