/**
 * One upstream query for all who ask the same thing at the same time. A flight is forgotten as soon as it lands, so
 * nothing is remembered here: that is the cache's trade.
 */
export class Flights<T> {
  readonly #waiting = new Map<string, ((landed: T) => void)[]>();

  /** Joins the flight under way for `key`, or starts one with `start`, which must call back once. */
  join(key: string, land: (landed: T) => void, start: (land: (landed: T) => void) => void): void {
    const others = this.#waiting.get(key);
    if (others !== undefined) {
      others.push(land);
      return;
    }
    const waiting = [land];
    this.#waiting.set(key, waiting);
    try {
      start((landed) => {
        this.#waiting.delete(key);
        for (const tell of waiting) tell(landed);
        // A `Map` that entries come to and leave all the time makes a new table every few hundred, and V8 lets each old
        // one point to its successor. An old table that has been moved out of the young generation keeps all those
        // behind it, with whoever was in them, until the whole heap is collected: they shall find nothing to keep.
        waiting.length = 0;
      });
    } catch (error) {
      this.#waiting.delete(key);
      throw error;
    }
  }

  get size(): number {
    return this.#waiting.size;
  }
}
