/**
 * One piece of work for all who ask for the same thing at the same time. A flight is forgotten as soon as it lands, so
 * nothing is remembered here: that is the cache's trade.
 */
export class Singleflight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /** Joins the flight under way for `key`, or starts one. A rejection reaches everyone who joined. */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const underway = this.#flights.get(key);
    if (underway !== undefined) return underway;
    const flight = work().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  get size(): number {
    return this.#flights.size;
  }
}
