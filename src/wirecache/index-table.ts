/**
 * Where the entries of a hash are, on the writer's side. A name has sixteen places, all in one cache line; a slot holds
 * some bits of the hash and a chunk number, and is written whole, so that a reader finds the old entry or the new one.
 * Taken places of a set are never followed by free ones that matter: a reader may stop at the first zero. When four
 * places of a set are taken on average, or two and a set is full, the table doubles into memory of its own, and readers
 * change over at their next look-up.
 */
import {
  GROW_AT,
  GROW_EARLY_AT,
  HEAD,
  MIN_LEVEL,
  SET_SLOTS,
  SIDE,
  SIDE_WORDS,
  tableOffset,
} from './layout.ts';
import type { Memory } from './memory.ts';

/** Whether an entry, by its first chunk, is the one that is looked for. */
export type Matches = (entry: number) => boolean;

export class IndexTable {
  readonly #memory: Memory;
  readonly #refMask: number;
  #level = MIN_LEVEL;
  #taken = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#refMask = 2 ** memory.geometry.refBits - 1;
  }

  get level(): number {
    return this.#level;
  }

  /** The entry of this hash that matches; 0 when there is none. */
  find(hash: number, matches: Matches): number {
    const { words } = this.#memory;
    const set = this.#set(hash);
    for (let at = set; at < set + SET_SLOTS; at++) {
      const slot = words[at] ?? 0;
      if (slot === 0) return 0;
      if (((slot ^ hash) & ~this.#refMask) === 0 && matches(slot & this.#refMask))
        return slot & this.#refMask;
    }
    return 0;
  }

  /** False when all places of its set are taken. */
  hasRoom(hash: number): boolean {
    return (this.#memory.words[this.#set(hash) + SET_SLOTS - 1] ?? 0) === 0;
  }

  /** An entry of the set of this hash that may go in its place: one that is not in use, if there is one. */
  rival(hash: number, isUsed: (entry: number) => boolean): number {
    const set = this.#set(hash);
    const entries = Array.from(
      this.#memory.words.subarray(set, set + SET_SLOTS),
      (slot) => slot & this.#refMask,
    );
    return entries.find((entry) => !isUsed(entry)) ?? entries[0] ?? 0;
  }

  /** There must be room. From now on readers find the entry, which must be complete. */
  add(hash: number, entry: number): void {
    const { words } = this.#memory;
    let at = this.#set(hash);
    while (words[at] !== 0) at++;
    Atomics.store(words, at, this.#slotOf(hash, entry));
    this.#taken++;
  }

  /** Puts an entry in the place of another one with the same key. */
  replace(hash: number, before: number, entry: number): void {
    Atomics.store(this.#memory.words, this.#placeOf(hash, before), this.#slotOf(hash, entry));
  }

  /** The last of the set moves into the gap. A reader may just then miss that one, which costs it a detour. */
  remove(hash: number, entry: number): void {
    const { words } = this.#memory;
    const at = this.#placeOf(hash, entry);
    let last = this.#set(hash) + SET_SLOTS - 1;
    while (words[last] === 0) last--;
    Atomics.store(words, at, words[last] ?? 0);
    Atomics.store(words, last, 0);
    this.#taken--;
  }

  /**
   * Whether the table should double before this hash is added. By chance alone one set among some thousands fills up
   * before the average says so, and nothing should have to go for it; names chosen to fill one set buy no memory.
   */
  isCrowdedFor(hash: number): boolean {
    if (this.#level >= this.#memory.geometry.maxLevel) return false;
    return this.#taken >= (this.hasRoom(hash) ? GROW_AT : GROW_EARLY_AT) * (1 << this.#level);
  }

  /** Into `into`, which has room for a whole set; returns how many there are. */
  entriesOf(set: number, into: Int32Array): number {
    const { words } = this.#memory;
    const from = this.#set(set);
    let count = 0;
    while (count < SET_SLOTS && words[from + count] !== 0) {
      into[count] = (words[from + count] ?? 0) & this.#refMask;
      count++;
    }
    return count;
  }

  /** Doubles. `entries` are all there are; one that finds no place in the new table must go, and is told to `drop`. */
  grow(entries: Iterable<number>, drop: (entry: number) => void): void {
    const { words, geometry } = this.#memory;
    const homeless: number[] = [];
    this.#level++;
    this.#taken = 0;
    for (const entry of entries) {
      const hash = words[geometry.side + entry * SIDE_WORDS + SIDE.HASH] ?? 0;
      if (this.hasRoom(hash)) this.add(hash, entry);
      else homeless.push(entry);
    }
    Atomics.store(words, HEAD.LEVEL, this.#level);
    for (const entry of homeless) drop(entry);
  }

  #set(hash: number): number {
    const { geometry } = this.#memory;
    return geometry.index + tableOffset(this.#level) + (hash & ((1 << this.#level) - 1)) * SET_SLOTS;
  }

  #slotOf(hash: number, entry: number): number {
    return (hash & ~this.#refMask) | entry;
  }

  /** Throws when it is not there, which is our own bug. */
  #placeOf(hash: number, entry: number): number {
    const { words } = this.#memory;
    const set = this.#set(hash);
    for (let at = set; at < set + SET_SLOTS; at++) {
      if (words[at] !== 0 && ((words[at] ?? 0) & this.#refMask) === entry) return at;
    }
    throw new Error(`Cannot find entry ${entry} in its set`);
  }
}
