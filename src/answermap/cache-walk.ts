/**
 * Visits what is in the cache a little at a time, what was of use first. Entries come and go meanwhile: those that come
 * are told to the mirror anyway, so a walk need not meet them; and to meet one twice does no harm.
 */
import type { Clock, Timer } from '../telemetry/clock.ts';
import type { EntrySource } from '../wirecache/contract.ts';
import { SET_SLOTS } from '../wirecache/layout.ts';

/** Entries of one turn: about a millisecond. */
const VISITS_IN_TURN = 128;
/** What an entry or a set costs that is only passed by. */
const LOOK_COST = 1 / 8;
const LEAST_PAUSE_MS = 50;
const MOST_PAUSE_MS = 1000;

export interface WalkOptions {
  readonly source: EntrySource;
  readonly clock: Clock;
  readonly later: (run: () => void) => void;
  /** Begins with this set and ends before it; default 0. */
  readonly from?: number;
}

/** When to come again with the same entry, by `Clock.monotonicMs`; undefined to go on, 'enough' to end the walk. */
export type Visit = (entry: number) => number | undefined | 'enough';

export class CacheWalk {
  readonly #options: WalkOptions;
  readonly #visit: Visit;
  readonly #entries = new Int32Array(SET_SLOTS);
  #timer: Timer | undefined;
  #isUsedsTurn = true;
  #set = 0;
  #sets: number;
  #isOver = false;
  /** So far. */
  #visits = 0;

  constructor(options: WalkOptions, visit: Visit) {
    this.#options = options;
    this.#visit = visit;
    this.#sets = options.source.sets;
    this.#goOn();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The set where it is now. */
  get at(): number {
    return ((this.#options.from ?? 0) + this.#set) & (this.#sets - 1);
  }

  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #goOn(): void {
    this.#options.later(() => this.#turn());
  }

  #turn(): void {
    const { source, clock } = this.#options;
    let cost = 0;
    while (!this.#isOver && cost < VISITS_IN_TURN) {
      if (this.#sets !== source.sets) this.#set = 0;
      this.#sets = source.sets;
      if (this.#set === this.#sets && !this.#nextPass()) return;
      const count = source.entriesOf(this.at, this.#entries);
      cost += LOOK_COST * (1 + count);
      const visits = this.#visits;
      const againMs = this.#visitSet(count);
      cost += this.#visits - visits;
      if (againMs !== undefined) {
        const pauseMs = Math.max(againMs - clock.monotonicMs(), LEAST_PAUSE_MS);
        this.#timer = clock.after(Math.ceil(Math.min(pauseMs, MOST_PAUSE_MS)), () => this.#turn());
        return;
      }
      this.#set++;
    }
    if (!this.#isOver) this.#goOn();
  }

  /** False when there is none. */
  #nextPass(): boolean {
    this.#isOver = !this.#isUsedsTurn;
    this.#isUsedsTurn = false;
    this.#set = 0;
    return !this.#isOver;
  }

  #visitSet(count: number): number | undefined {
    for (let i = 0; i < count; i++) {
      const entry = this.#entries[i] ?? 0;
      // The second time everybody: who was used meanwhile must not fall between the two.
      if (this.#isUsedsTurn && !this.#options.source.wasUsed(entry)) continue;
      this.#visits++;
      const result = this.#visit(entry);
      if (result === 'enough') this.#isOver = true;
      else if (result !== undefined) return result;
      if (this.#isOver) return undefined;
    }
    return undefined;
  }
}
