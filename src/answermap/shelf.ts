/**
 * Index and slots of one shelf, on the writer's side. A place is one word of 64 bits and is only ever written whole: who
 * looks a key up finds the answer before a change or the one after it. When there is no room for an answer, its place is
 * emptied rather than left at the one before it.
 */
import type { FoldedName } from '../wirecache/folded-name.ts';
import {
  ANSWER_LOGGED,
  ANSWER_SET_PLACES,
  ANSWER_SLOT_AT,
  ANSWER_SLOT_SIZE,
  LARGE_NAME_BYTES,
  LARGE_TAIL_BYTES,
  PLACE_GENERATION_SHIFT,
  PLACE_LARGE_BIT,
  PLACE_TAG_SHIFT,
  SMALL_NAME_BYTES,
  SMALL_TAIL_BYTES,
} from './answer-abi.gen.ts';
import type { CopiedRoute } from './contract.ts';
import type { RouteTally } from './route-tally.ts';
import { SecondSight } from './second-sight.ts';
import type { ShelfMemory } from './shelf-memory.ts';
import { type OnUsed, QUARANTINE_MS, SlotPool, UNUSED } from './slot-pool.ts';
import type { StagedAnswer } from './staged-answer.ts';

const CLASS_IN = 1 << 16;
/** Bits of a place's upper word that are below its tag. */
const TAG_SHIFT = PLACE_TAG_SHIFT - PLACE_GENERATION_SHIFT;
const SLOT_MASK = 2 ** PLACE_LARGE_BIT - 1;
const NAME_WORD = ANSWER_SLOT_SIZE / 4;
const TYPE_AND_VIEW_WORD = ANSWER_SLOT_AT.type / 4;
/** Slots that are dealt with at once when all are left: some milliseconds. */
const MOST_AT_ONCE = 16_384;
const SLOTS_IN_TURN = 4096;

/**
 * `full`: there is no slot, and none will be without taking one from another answer. `busy`: in a while there will be.
 * `strange`: nobody goes for a key that was met only once.
 */
export type PutResult = 'written' | 'same' | 'full' | 'busy' | 'strange';

/** `fill`: nobody has to go for it. `change`: it was stored just now. `retry`: it was turned away before. */
export type PutCause = 'fill' | 'change' | 'retry';

export interface PutRequest {
  readonly view: number;
  readonly route: CopiedRoute;
  readonly tally: RouteTally;
  /** The cache's, what `staged` was read from. */
  readonly entry: number;
  /** The cache has been asked for it since it was stored. */
  readonly wasUsed: boolean;
  readonly cause: PutCause;
}

export class Shelf {
  readonly memory: ShelfMemory;
  readonly small: SlotPool;
  readonly large: SlotPool;
  written = 0;
  evicted = 0;
  readonly #places: BigUint64Array;
  /** The same, by halves. */
  readonly #halves: Uint32Array;
  readonly #name: FoldedName;
  readonly #staged: StagedAnswer;
  /** Before this, nothing is written: somebody else may have used this memory until now. */
  readonly #fromMs: number;
  readonly #sights: SecondSight;
  readonly #onUsed: OnUsed;

  /** Empties it. `name` is folded with the head's numbers, and holds the name that `put` and `remove` are about. */
  constructor(
    memory: ShelfMemory,
    {
      name,
      staged,
      ...pools
    }: { name: FoldedName; staged: StagedAnswer; nowMs: () => number; onUsed: OnUsed },
  ) {
    const { smallSlots, largeSlots, places } = memory;
    this.memory = memory;
    this.#places = places;
    this.#halves = new Uint32Array(places.buffer, places.byteOffset, 2 * places.length);
    this.#name = name;
    this.#staged = staged;
    const small = { slots: smallSlots, nameBytes: SMALL_NAME_BYTES, tailBytes: SMALL_TAIL_BYTES };
    const large = { slots: largeSlots, nameBytes: LARGE_NAME_BYTES, tailBytes: LARGE_TAIL_BYTES };
    this.small = new SlotPool(memory.small, small, pools);
    this.large = new SlotPool(memory.large, large, pools);
    this.#onUsed = pools.onUsed;
    this.#sights = new SecondSight(smallSlots + largeSlots);
    // A pool begins with its first slot. While that is written again its generation is 0; but no listener is number 0.
    const wasUsed = [this.small, this.large].some(
      ({ words }) => (words[ANSWER_SLOT_AT.generation / 4] || words[TYPE_AND_VIEW_WORD] || 0) !== 0,
    );
    this.#halves.fill(0);
    this.#fromMs = pools.nowMs() + (wasUsed ? QUARANTINE_MS : 0);
  }

  /** When slots are free again of which there are none now. */
  get nextFreeMs(): number {
    return Math.max(this.#fromMs, Math.min(this.small.nextRestedMs, this.large.nextRestedMs));
  }

  /** What `staged` has read, under the folded name. */
  put(request: PutRequest, nowMs: number): PutResult {
    const staged = this.#staged;
    const hash = this.#hash(request.view);
    const at = this.#find(hash, request.view);
    if (at >= 0 && this.#poolAt(at).entries[this.#slotAt(at)] === request.entry) return 'same';
    const pool = staged.isSmall ? this.small : this.large;
    if (at < 0 && !this.#isWelcome(pool, hash, request)) return 'strange';
    const use = at < 0 ? UNUSED : this.#poolAt(at).useOf(this.#slotAt(at));
    // The cache, too, must not take for unused what comes again because it was.
    if (use.isMarked || use.heat > 0) this.#onUsed(request.entry, 0);
    const slot = this.#obtain(pool, { at, cause: request.cause }, nowMs);
    if (slot < 0) {
      if (at >= 0) this.#empty(at);
      const comes = request.cause === 'fill' ? pool.hasRoom : pool.resting > 0;
      return comes || pool.isDraining || nowMs < this.#fromMs ? 'busy' : 'full';
    }
    const place = at >= 0 ? at : this.#placeFor(hash);
    const generation = staged.write(pool, slot, request.view, request.route);
    const before = this.#isEmpty(place)
      ? undefined
      : { pool: this.#poolAt(place), slot: this.#slotAt(place) };
    if (at < 0 && before !== undefined) this.evicted++;
    this.#store(place, { slot, generation, tag: hash >>> TAG_SHIFT, isLarge: !staged.isSmall });
    before?.pool.retire(before.slot);
    const { entry, tally } = request;
    pool.enter(slot, { place, entry, tally, isDenial: staged.isDenial, use });
    this.written++;
    return 'written';
  }

  /** Nothing is found under the folded name any more. */
  remove(view: number): void {
    const at = this.#find(this.#hash(view), view);
    if (at >= 0) this.#empty(at);
  }

  /** Nothing is found any more that the programs would write a log of; some tens of nanoseconds for each slot. */
  removeLogged(): void {
    for (const pool of [this.small, this.large]) {
      const { bytes, entries, places, touched, wordsPerSlot } = pool;
      for (let slot = 0; slot < touched; slot++) {
        const flags = bytes[4 * slot * wordsPerSlot + ANSWER_SLOT_AT.flags] ?? 0;
        if (entries[slot] !== 0 && (flags & ANSWER_LOGGED) !== 0) this.#empty(places[slot] ?? 0);
      }
    }
  }

  /** Nothing is found any more. Until `drain` says that it is done, nothing new may be. */
  clear(): void {
    // By halves it is many times faster, and still written in larger pieces than a place.
    this.#halves.fill(0);
    for (const pool of [this.small, this.large]) pool.leave();
    this.#drain(MOST_AT_ONCE);
    for (const pool of [this.small, this.large]) pool.forgetEntries();
  }

  get isDraining(): boolean {
    return this.small.isDraining || this.large.isDraining;
  }

  /** Deals with some of what `clear` left; about half a millisecond. */
  drain(): void {
    this.#drain(SLOTS_IN_TURN);
  }

  /** There are slots for which nobody has to go. */
  get hasRoom(): boolean {
    return this.small.hasRoom || this.large.hasRoom;
  }

  #drain(slots: number): void {
    const left = slots - this.small.drain(slots);
    this.large.drain(left);
  }

  /** Others go for it only if somebody asked for it twice. */
  #isWelcome(pool: SlotPool, hash: number, { cause, wasUsed }: PutRequest): boolean {
    if (cause === 'fill' || pool.isDraining || pool.hasRoom) return true;
    return wasUsed || (cause === 'change' && this.#sights.knows(hash));
  }

  /**
   * -1 when there is none. Where others may have to go, they go ahead of need: what they leave has to rest. Half of what is
   * kept from use is for keys that have a place at `at`: newcomers wait.
   */
  #obtain(pool: SlotPool, { at, cause }: { at: number; cause: PutCause }, nowMs: number): number {
    if (nowMs < this.#fromMs) return -1;
    pool.release(nowMs);
    if (cause === 'fill') return pool.free > pool.reserve ? pool.take(nowMs) : -1;
    if (at < 0 && pool.resting > 0 && pool.free <= pool.reserve >> 1) return -1;
    const leavesOne = at >= 0 && this.#poolAt(at) === pool;
    const victim = leavesOne || pool.hasRoom ? -1 : pool.sift();
    if (victim >= 0) {
      this.#empty(pool.places[victim] ?? 0);
      this.evicted++;
    }
    return pool.take(nowMs);
  }

  #hash(view: number): number {
    const { type, keyBits } = this.#staged;
    return this.#name.hash(type | CLASS_IN, view | (keyBits << 16)) >>> 0;
  }

  #setOf(hash: number): number {
    return ((hash & (this.memory.sets - 1)) >>> 0) * ANSWER_SET_PLACES;
  }

  /** The place of the key; -1 when it has none. */
  #find(hash: number, view: number): number {
    const from = this.#setOf(hash);
    const tag = hash >>> TAG_SHIFT;
    for (let at = from; at < from + ANSWER_SET_PLACES; at++) {
      const upper = this.#halves[2 * at + 1] ?? 0;
      if (upper === 0 || upper >>> TAG_SHIFT !== tag) continue;
      if (this.#matches(this.#poolAt(at), this.#slotAt(at), view)) return at;
    }
    return -1;
  }

  #matches(pool: SlotPool, slot: number, view: number): boolean {
    const { words, bytes, wordsPerSlot } = pool;
    const { type, keyBits } = this.#staged;
    const base = slot * wordsPerSlot;
    // Two neighbours, low half first.
    if (words[base + ANSWER_SLOT_AT.type / 4] !== (type | (view << 16)) >>> 0) return false;
    if (bytes[4 * base + ANSWER_SLOT_AT.keyBits] !== keyBits) return false;
    if (bytes[4 * base + ANSWER_SLOT_AT.nameLength] !== this.#name.length) return false;
    const count = (this.#name.length + 3) >> 2;
    for (let i = 0; i < count; i++) {
      if (((words[base + NAME_WORD + i] ?? 0) | 0) !== this.#name.words[i]) return false;
    }
    return true;
  }

  /** An empty place of the set; else that of the answer that is least asked for. */
  #placeFor(hash: number): number {
    const from = this.#setOf(hash);
    let least = from;
    let leastUse = Number.POSITIVE_INFINITY;
    for (let at = from; at < from + ANSWER_SET_PLACES; at++) {
      if (this.#isEmpty(at)) return at;
      const pool = this.#poolAt(at);
      const slot = this.#slotAt(at);
      pool.fold(slot);
      const use = (pool.heat[slot] ?? 0) + (pool.isMarked(slot) ? 1 : 0);
      if (use < leastUse) {
        leastUse = use;
        least = at;
      }
    }
    return least;
  }

  #empty(at: number): void {
    const pool = this.#poolAt(at);
    const slot = this.#slotAt(at);
    Atomics.store(this.#places, at, 0n);
    pool.retire(slot);
  }

  #isEmpty(at: number): boolean {
    return this.#halves[2 * at + 1] === 0;
  }

  #poolAt(at: number): SlotPool {
    return (this.#halves[2 * at] ?? 0) >>> PLACE_LARGE_BIT === 0 ? this.small : this.large;
  }

  #slotAt(at: number): number {
    return (this.#halves[2 * at] ?? 0) & SLOT_MASK;
  }

  #store(
    at: number,
    { slot, generation, tag, isLarge }: { slot: number; generation: number; tag: number; isLarge: boolean },
  ): void {
    const lower = (isLarge ? 2 ** PLACE_LARGE_BIT : 0) + slot;
    const upper = tag * 2 ** TAG_SHIFT + generation;
    Atomics.store(this.#places, at, (BigInt(upper) << BigInt(PLACE_GENERATION_SHIFT)) | BigInt(lower));
  }
}
