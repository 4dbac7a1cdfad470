/**
 * Makes readers of the flow log take turns on the main thread, so that none of them, nor all of them together, keeps it from
 * its other work: one turn in each round of the event loop, and a turn is short.
 */
/** Milliseconds; a round of the event loop is longer by so much at most. */
const TURN_MS = 2;

export class Turns {
  readonly #waiting: (() => void)[] = [];
  #isGiving = false;

  /** Resolves when it is the caller's turn; until `isOver` it may go on without asking again. */
  take(): Promise<Turn> {
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(new Turn(performance.now() + TURN_MS)));
      if (!this.#isGiving) this.#give();
    });
  }

  #give(): void {
    this.#isGiving = true;
    setImmediate(() => {
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#give();
      else this.#isGiving = false;
    });
  }
}

export class Turn {
  readonly #endsAtMs: number;

  constructor(endsAtMs: number) {
    this.#endsAtMs = endsAtMs;
  }

  get isOver(): boolean {
    return performance.now() >= this.#endsAtMs;
  }
}
