/**
 * What is remembered of queries until their other half comes: the newest so many, the oldest forgotten first. A map that
 * only ever loses its oldest is one whose size pods do not decide.
 */
export class Recent<T> {
  readonly #values = new Map<string, T>();
  readonly #places: number;
  readonly #onForget: (value: T) => void;

  /** `onForget` is told of those that had to go, not of those that were taken. */
  constructor(places: number, onForget: (value: T) => void = () => undefined) {
    this.#places = places;
    this.#onForget = onForget;
  }

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  /** The newest from here on. */
  set(key: string, value: T): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#places) return;
    for (const [oldest, forgotten] of this.#values) {
      this.#values.delete(oldest);
      this.#onForget(forgotten);
      return;
    }
  }

  delete(key: string): void {
    this.#values.delete(key);
  }

  values(): Iterable<T> {
    return this.#values.values();
  }
}
