/**
 * What one turn of the event loop brings, taken together at its end. Each system call leaves the processor's caches to
 * the kernel: questions and answers handled one by one between such calls meet cold code each time. A batch ends with
 * its turn, so a lone question waits for nobody.
 */

/** `setImmediate` for what comes from sockets, `process.nextTick` for what goes out to them. */
export type AtEndOfTurn = (run: () => void) => void;

export class Batch<T> {
  readonly #atEndOfTurn: AtEndOfTurn;
  readonly #take: (item: T) => void;
  #items: T[] = [];

  constructor(atEndOfTurn: AtEndOfTurn, take: (item: T) => void) {
    this.#atEndOfTurn = atEndOfTurn;
    this.#take = take;
  }

  add(item: T): void {
    if (this.#items.push(item) === 1) this.#atEndOfTurn(this.#takeAll);
  }

  /** What is added meanwhile is the next batch. */
  readonly #takeAll = (): void => {
    const items = this.#items;
    this.#items = [];
    for (const item of items) this.#take(item);
  };
}
