/**
 * Makes readers of the flow log take turns on the main thread, so that none of them, nor all of them together, keeps it from
 * its other work: one turn in each round of the event loop, and a turn is short. Whoever has had the least so far is next, and
 * what a client does with many streams counts as one: a follower that needs little gets it, however many ask for everything.
 */
/** Milliseconds; a round of the event loop is longer by so much at most. */
const TURN_MS = 2;
/** A reader that was kept waiting by others in its turn, its client for one, is not to pay for all of it. */
const MOST_CHARGED_MS = 4 * TURN_MS;
/** Clients that are remembered; those who have had no more than anybody need not be. */
const MOST_CLIENTS = 1024;

interface Waiting {
  readonly client: string;
  readonly start: () => void;
}

export class Turns {
  readonly #waiting: Waiting[] = [];
  /** By client, what it has had, in milliseconds; who is not here has had `#least`. */
  readonly #had = new Map<string, number>();
  /** What the last one to get a turn had had: who comes or comes back begins there, and neither owes nor is owed anything. */
  #least = 0;
  #isGiving = false;

  /** Resolves when it is the caller's turn; until `isOver` it may go on without asking again. */
  take(client = ''): Promise<Turn> {
    return new Promise((resolve) => {
      const start = () => resolve(new Turn((ms) => this.#charge(client, ms)));
      this.#waiting.push({ client, start });
      if (!this.#isGiving) this.#give();
    });
  }

  #give(): void {
    this.#isGiving = true;
    setImmediate(() => {
      this.#next()?.start();
      if (this.#waiting.length > 0) this.#give();
      else this.#isGiving = false;
    });
  }

  #next(): Waiting | undefined {
    let best = 0;
    for (let i = 1; i < this.#waiting.length; i++) if (this.#hadAt(i) < this.#hadAt(best)) best = i;
    this.#least = Math.max(this.#least, this.#hadAt(best));
    return this.#waiting.splice(best, 1)[0];
  }

  #hadAt(index: number): number {
    return this.#had.get(this.#waiting[index]?.client ?? '') ?? this.#least;
  }

  #charge(client: string, ms: number): void {
    const before = Math.max(this.#had.get(client) ?? 0, this.#least);
    this.#had.set(client, before + Math.min(ms, MOST_CHARGED_MS));
    if (this.#had.size <= MOST_CLIENTS) return;
    for (const [each, had] of this.#had) if (had <= this.#least) this.#had.delete(each);
  }
}

export class Turn {
  readonly #beganAtMs = performance.now();
  readonly #charge: (ms: number) => void;
  #isCharged = false;

  constructor(charge: (ms: number) => void) {
    this.#charge = charge;
  }

  get isOver(): boolean {
    if (performance.now() < this.#beganAtMs + TURN_MS) return false;
    this.end();
    return true;
  }

  /** To be called by a reader that stops for another reason: the time until then is what its client has had. */
  end(): void {
    if (this.#isCharged) return;
    this.#isCharged = true;
    this.#charge(performance.now() - this.#beganAtMs);
  }
}
