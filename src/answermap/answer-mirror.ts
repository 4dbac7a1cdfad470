/**
 * Keeps a shelf of the answer map like the cache of this process, as far as the kernel's programs may answer from it.
 * Whatever changes in the cache changes in the shelf in the same turn; what is merely missing there is made up for later,
 * a little at a time, since a miss costs a query its shortcut and nothing else.
 */
import type { Name } from '../dns/name.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import { readTogether } from '../telemetry/two-clocks.ts';
import type { AnswerCache, EntrySource } from '../wirecache/contract.ts';
import { FoldedName } from '../wirecache/folded-name.ts';
import { CacheWalk } from './cache-walk.ts';
import type { MirroredListener, MirrorStats, ViewTotals } from './contract.ts';
import { ListenerRoutes } from './listener-routes.ts';
import { RouteTally } from './route-tally.ts';
import { type PutCause, Shelf } from './shelf.ts';
import type { ShelfMemory } from './shelf-memory.ts';
import { ShelfSweep } from './shelf-sweep.ts';
import { StagedAnswer } from './staged-answer.ts';

export interface AnswerMirror {
  /**
   * From now on the shelf is filled, beginning with what the cache has. Undefined: none. The one before is emptied, and its
   * memory is not touched again: it stays the caller's.
   */
  useShelf(memory: ShelfMemory | undefined): void;
  /** The map is empty when this returns, and is then filled anew. */
  replaceListeners(listeners: readonly MirroredListener[]): void;
  /** Takes out of the shelf what the programs would write a log of; it comes back when its entry changes. */
  removeLogged(): void;
  /** What the programs answered since the last call, where that is anything. */
  takeTotals(): readonly ViewTotals[];
  readonly stats: MirrorStats;
  /**
   * Lets go of cache and shelf. The shelf is left as it is: what is in it is answered until it expires. Call
   * `useShelf(undefined)` before where that must not be.
   */
  close(): void;
}

export interface AnswerMirrorOptions {
  readonly cache: AnswerCache;
  readonly clock: Clock;
  /** CLOCK_MONOTONIC. Default: the system's; it must run as `clock.monotonicMs` does. */
  readonly monotonicNs?: () => bigint;
  /** Runs something in a later turn. Default: setImmediate. */
  readonly later?: (run: () => void) => void;
}

/** What was turned away for want of a slot is tried again once those that rested then are free. */
const RETRY_MS = 1500;
/** And again after twice that and so on: a name that was asked for once may be asked for again. */
const LAST_RETRY_MS = 32 * RETRY_MS;

/** In the thread that writes the cache. A cache has one mirror. */
export function createAnswerMirror(options: AnswerMirrorOptions): AnswerMirror {
  return new ShelfMirror(options);
}

/** A shelf in use, and what is done about it now and then. */
interface Filled {
  readonly shelf: Shelf;
  /** Folded with the shelf's numbers. */
  readonly name: FoldedName;
  readonly sweep: ShelfSweep;
}

class ShelfMirror implements AnswerMirror {
  readonly #cache: AnswerCache;
  readonly #clock: Clock;
  readonly #later: (run: () => void) => void;
  readonly #source: EntrySource;
  readonly #staged: StagedAnswer;
  readonly #tallies = new Map<string, RouteTally>();
  #listeners: readonly ListenerRoutes[] = [];
  /** By partition: 1 where a listener has answers of it. */
  readonly #isCopied = new Uint8Array(0x1_0000);
  #filled: Filled | undefined;
  #walk: CacheWalk | undefined;
  #retry: Timer | undefined;
  /** Answers turned away since they were last tried again. */
  #wanting = 0;
  /** Those of them that nobody should go for before they are asked for again; kept until the last retry. */
  #strangers = 0;
  #retryMs = RETRY_MS;
  #walkedTo = 0;
  #isDraining = false;
  #turnedAway = 0;

  constructor({ cache, clock, monotonicNs, later }: AnswerMirrorOptions) {
    this.#cache = cache;
    this.#clock = clock;
    this.#later = later ?? ((run) => void setImmediate(run));
    this.#source = cache.mirror({ changed: (entry) => this.#changed(entry) });
    const monotonic = monotonicNs ?? (() => process.hrtime.bigint());
    const { ms, ns } = readTogether(() => clock.monotonicMs(), monotonic);
    this.#staged = new StagedAnswer(this.#source, Number(ns) - ms * 1e6);
  }

  useShelf(memory: ShelfMemory | undefined): void {
    this.#filled?.shelf.clear();
    this.#letGo();
    if (memory === undefined) return;
    const name = new FoldedName({ seed: memory.seed | 0, multiplier: memory.multiplier | 0 });
    const nowMs = () => this.#clock.monotonicMs();
    const onUsed = (entry: number, hits: number) =>
      this.#source.countUses(entry, hits, this.#clock.monotonicMs());
    const shelf = new Shelf(memory, { name, staged: this.#staged, nowMs, onUsed });
    this.#filled = { shelf, name, sweep: new ShelfSweep(shelf, this.#clock, this.#later) };
    this.#fill();
  }

  replaceListeners(listeners: readonly MirroredListener[]): void {
    this.#filled?.shelf.clear();
    this.#drain();
    this.#listeners = listeners.map(
      (listener) => new ListenerRoutes(listener, (zone) => this.#tallyOf(listener.view, zone)),
    );
    this.#isCopied.fill(0);
    for (const { routes } of listeners) {
      for (const { copied } of routes) if (copied !== undefined) this.#isCopied[copied.partition] = 1;
    }
    this.#fill();
  }

  removeLogged(): void {
    this.#filled?.shelf.removeLogged();
  }

  takeTotals(): readonly ViewTotals[] {
    this.#filled?.sweep.now();
    const current = new Set(this.#listeners.flatMap(({ tallies }) => tallies));
    return [...this.#tallies].flatMap(([key, tally]) => {
      const totals = tally.take();
      if (totals !== undefined) return [{ view: tally.view, zone: tally.zone, totals }];
      // Of a listener that is gone, and has had time to be counted.
      if (!current.has(tally) && !this.#isDraining) this.#tallies.delete(key);
      return [];
    });
  }

  get stats(): MirrorStats {
    const shelf = this.#filled?.shelf;
    const { small, large } = shelf ?? {};
    return {
      entries: (small?.live ?? 0) + (large?.live ?? 0),
      slotsInUse: (small?.live ?? 0) + (small?.resting ?? 0),
      slots: small?.shape.slots ?? 0,
      largeSlotsInUse: (large?.live ?? 0) + (large?.resting ?? 0),
      largeSlots: large?.shape.slots ?? 0,
      written: shelf?.written ?? 0,
      evicted: shelf?.evicted ?? 0,
      turnedAway: this.#turnedAway,
    };
  }

  close(): void {
    this.#letGo();
    this.#cache.mirror(undefined);
  }

  /** The shelf is not touched any more; what was counted there is kept. */
  #letGo(): void {
    this.#walk?.stop();
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#strangers = 0;
    this.#isDraining = false;
    this.#filled?.sweep.close();
    this.#filled = undefined;
  }

  #changed(entry: number): void {
    if (this.#filled === undefined) return;
    this.#source.readKey(entry);
    if (this.#isCopied[this.#source.partition] !== 1) return;
    const result = this.#update(this.#filled, 'change');
    if (result === undefined) return;
    this.#turnedAway++;
    if (result === 'busy') this.#wanting++;
    else this.#strangers++;
    if (this.#retryMs === RETRY_MS && this.#retry !== undefined) return;
    this.#retry?.cancel();
    this.#retryAfter(RETRY_MS);
  }

  #retryAfter(ms: number): void {
    this.#retryMs = ms;
    this.#retry = this.#clock.after(ms, () => this.#tryAgain());
  }

  /** What the shelf was cleared of is counted in small turns. */
  #drain(): void {
    const shelf = this.#filled?.shelf;
    if (shelf?.isDraining !== true || this.#isDraining) return;
    this.#isDraining = true;
    const turn = () => {
      if (this.#filled?.shelf !== shelf) return;
      shelf.drain();
      this.#isDraining = shelf.isDraining;
      if (this.#isDraining) this.#later(turn);
    };
    this.#later(turn);
  }

  /** From an empty shelf: what is there first stays, and nothing goes for what comes after it. */
  #fill(): void {
    this.#walk?.stop();
    this.#walk = this.#startWalk((filled) => {
      return this.#update(filled, 'fill') === 'busy' ? filled.shelf.nextFreeMs : undefined;
    });
  }

  #tryAgain(): void {
    this.#retry = undefined;
    if (this.#filled === undefined) return;
    if (this.#walk?.isOver === false) {
      this.#retryAfter(RETRY_MS);
      return;
    }
    const { shelf } = this.#filled;
    // Of those that were asked for a second time, not all at once: they take turns.
    const strangers = Math.min(this.#strangers, shelf.small.reserve + shelf.large.reserve);
    const most = shelf.written + this.#wanting + strangers;
    this.#wanting = 0;
    if (this.#retryMs >= LAST_RETRY_MS) this.#strangers = 0;
    const walk = this.#startWalk((filled, entry) => {
      const isHopeless = !shelf.hasRoom && !this.#source.wasUsed(entry);
      if (isHopeless || shelf.written >= most) {
        this.#walkedTo = walk?.at ?? 0;
        return 'enough';
      }
      return this.#update(filled, 'retry') === 'busy' ? shelf.nextFreeMs : undefined;
    }, this.#walkedTo);
    this.#walk = walk;
    if (this.#strangers > 0) this.#retryAfter(2 * this.#retryMs);
  }

  #startWalk(
    visit: (filled: Filled, entry: number) => number | undefined | 'enough',
    from = 0,
  ): CacheWalk | undefined {
    const filled = this.#filled;
    if (filled === undefined) return undefined;
    const options = { source: this.#source, clock: this.#clock, later: this.#later, from };
    return new CacheWalk(options, (entry) => {
      this.#source.readKey(entry);
      return this.#isCopied[this.#source.partition] === 1 ? visit(filled, entry) : undefined;
    });
  }

  /** Of the key that the source has read; undefined when there is nothing to be tried again. */
  #update({ shelf, name }: Filled, cause: PutCause): 'busy' | 'strange' | undefined {
    const { partition, name: words, nameBytes, nameLength } = this.#source;
    if (!this.#staged.readKey()) return undefined;
    const nowMs = this.#clock.monotonicMs();
    const entry = this.#staged.read(nowMs);
    name.fold(words, 0, nameLength);
    const wasUsed = entry !== 0 && this.#source.wasUsed(entry);
    let waits: 'busy' | 'strange' | undefined;
    for (const listener of this.#listeners) {
      const found = listener.find(nameBytes, nameLength);
      const route = found?.copied;
      if (found === undefined || route?.partition !== partition) continue;
      const { view } = listener;
      if (entry === 0 || !this.#staged.suits(route)) {
        shelf.remove(view);
        continue;
      }
      const result = shelf.put({ view, route, tally: found.tally, entry, wasUsed, cause }, nowMs);
      if (result === 'busy' || (result === 'strange' && waits === undefined)) waits = result;
    }
    return waits;
  }

  #tallyOf(view: number, zone: Name): RouteTally {
    const key = `${view} ${zone}`;
    const tally = this.#tallies.get(key) ?? new RouteTally(view, zone);
    this.#tallies.set(key, tally);
    return tally;
  }
}
