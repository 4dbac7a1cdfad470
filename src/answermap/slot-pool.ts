/**
 * The slots of one size, on the writer's side: which are free, which may not be used yet, and whose turn it is to go. A
 * program that found a slot may read it a little later, so one that was taken out rests for a second before it is written
 * again; and since it bears another generation then, even a program that slept that long would see it.
 */
import { ANSWER_DNSSEC_OK, ANSWER_SLOT_AT, ANSWER_SLOT_SIZE } from './answer-abi.gen.ts';
import { HIT_KINDS, type HitAnswer, type RouteTally } from './route-tally.ts';

/** No program runs for as long as this, by many orders of magnitude. */
export const QUARANTINE_MS = 1000;
/** Of the slots, so many are kept from use when there is more than fits: those that rest have to be replaced meanwhile. */
const RESERVE_SHARE = 16;
/** Slots that a hand spares in one go: after that, whoever it points at goes. */
const MOST_SPARED = 4096;
const MAX_GENERATION = 0xffff;
/** Hits of each kind, and bytes of cookies. */
const COUNTERS = HIT_KINDS + 1;
const HITS_WORD = ANSWER_SLOT_AT.hits / 4;
const USED_WORD = ANSWER_SLOT_AT.used / 4;

export interface SlotShape {
  readonly slots: number;
  readonly nameBytes: number;
  readonly tailBytes: number;
}

/** The programs had use for the answer of this entry; `hits` of them since the last time. */
export type OnUsed = (entry: number, hits: number) => void;

export interface PoolOptions {
  readonly onUsed: OnUsed;
  /** Read anew whenever a slot is taken out: the process may have been stopped since anybody else read it. */
  readonly nowMs: () => number;
}

/** How often the programs had use for an answer. */
export interface Use {
  readonly heat: number;
  readonly isMarked: boolean;
}

export const UNUSED: Use = { heat: 0, isMarked: false };

export interface Entering {
  readonly place: number;
  /** The cache's. */
  readonly entry: number;
  readonly tally: RouteTally;
  readonly isDenial: boolean;
  /** Of the answer before it under the same key. */
  readonly use: Use;
}

export class SlotPool {
  readonly shape: SlotShape;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  readonly wordsPerSlot: number;
  /** By slot: the cache's entry that it is a copy of; 0 when no place leads to it. */
  readonly entries: Int32Array;
  /** By slot: the place that leads to it, or did until all were left; -1: none. */
  readonly places: Int32Array;
  /** By slot: decays with every sweep, grows with every hit. */
  readonly heat: Uint32Array;
  readonly #tallies: (RouteTally | undefined)[] = [];
  readonly #isDenial: Uint8Array;
  readonly #generations: Uint16Array;
  readonly #marks: Uint8Array;
  readonly #seen: Uint32Array;
  readonly #deltas = new Uint32Array(COUNTERS);
  readonly #free: Int32Array;
  #freeCount = 0;
  /** Slots from here on were never used by this pool. */
  #touched = 0;
  readonly #resting: Int32Array;
  readonly #restedAtMs: Float64Array;
  #restingFrom = 0;
  #restingCount = 0;
  #live = 0;
  #hand = 0;
  /** Of the slots that were left, those below are dealt with. */
  #drained = 0;
  #isDraining = false;
  readonly #onUsed: OnUsed;
  readonly #nowMs: () => number;

  constructor(memory: Uint8Array<ArrayBuffer>, shape: SlotShape, { onUsed, nowMs }: PoolOptions) {
    const { slots, nameBytes, tailBytes } = shape;
    this.shape = shape;
    this.bytes = memory;
    this.words = new Uint32Array(memory.buffer, memory.byteOffset, memory.length >> 2);
    this.wordsPerSlot = (ANSWER_SLOT_SIZE + nameBytes + tailBytes) / 4;
    this.entries = new Int32Array(slots);
    this.places = new Int32Array(slots).fill(-1);
    this.heat = new Uint32Array(slots);
    this.#isDenial = new Uint8Array(slots);
    this.#generations = new Uint16Array(slots);
    this.#marks = new Uint8Array(slots);
    this.#seen = new Uint32Array(slots * COUNTERS);
    this.#free = new Int32Array(slots);
    this.#resting = new Int32Array(slots);
    this.#restedAtMs = new Float64Array(slots);
    this.#onUsed = onUsed;
    this.#nowMs = nowMs;
  }

  /** Slots that places lead to. */
  get live(): number {
    return this.#live;
  }

  get resting(): number {
    return this.#restingCount;
  }

  /** Slots that were ever used: those behind them are memory nobody has touched. */
  get touched(): number {
    return this.#touched;
  }

  get free(): number {
    return this.shape.slots - this.#touched + this.#freeCount;
  }

  get reserve(): number {
    return Math.ceil(this.shape.slots / RESERVE_SHARE);
  }

  /** Between `leave` and the end of `drain`: no slot is given out. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** There is more than is kept from use. */
  get hasRoom(): boolean {
    return this.free + this.#restingCount > this.reserve;
  }

  /** When the next slot has rested enough; Infinity when none rests. */
  get nextRestedMs(): number {
    return this.#restingCount === 0 ? Number.POSITIVE_INFINITY : (this.#restedAtMs[this.#restingFrom] ?? 0);
  }

  /** A slot that nobody reads; -1 when there is none. It must be given to `enter`. */
  take(nowMs: number): number {
    if (this.#isDraining) return -1;
    this.release(nowMs);
    if (this.#freeCount > 0) {
      const slot = this.#free[--this.#freeCount] ?? 0;
      // What came while it rested.
      this.fold(slot);
      return slot;
    }
    if (this.#touched === this.shape.slots) return -1;
    const slot = this.#touched++;
    const word = slot * this.wordsPerSlot;
    // What another user of this memory left is not ours.
    this.#generations[slot] = (this.words[word] ?? 0) & MAX_GENERATION;
    for (let i = 0; i < COUNTERS; i++) {
      this.#seen[slot * COUNTERS + i] = this.words[word + HITS_WORD + i] ?? 0;
    }
    return slot;
  }

  nextGeneration(slot: number): number {
    const generation = ((this.#generations[slot] ?? 0) % MAX_GENERATION) + 1;
    this.#generations[slot] = generation;
    return generation;
  }

  /** A place leads to it from now on. */
  enter(slot: number, { place, entry, tally, isDenial, use }: Entering): void {
    this.entries[slot] = entry;
    this.places[slot] = place;
    this.heat[slot] = use.heat;
    this.#marks[slot] = use.isMarked ? 1 : 0;
    this.#tallies[slot] = tally;
    this.#isDenial[slot] = isDenial ? 1 : 0;
    this.#live++;
  }

  useOf(slot: number): Use {
    this.fold(slot);
    return { heat: this.heat[slot] ?? 0, isMarked: this.isMarked(slot) };
  }

  /** No place leads to it any more. */
  retire(slot: number): void {
    this.fold(slot);
    this.entries[slot] = 0;
    this.#rest(slot, this.#nowMs());
    this.#live--;
  }

  /** No place leads to any slot any more. They rest when `drain` has come by. */
  leave(): void {
    this.#live = 0;
    this.#drained = 0;
    this.#isDraining = true;
  }

  /** Counts what the next of the slots that were left had of use; returns how many slots it looked at. */
  drain(most: number): number {
    if (!this.#isDraining) return 0;
    const nowMs = this.#nowMs();
    const from = this.#drained;
    const end = Math.min(this.#touched, from + most);
    for (let slot = from; slot < end; slot++) {
      if ((this.places[slot] ?? -1) < 0) continue;
      this.fold(slot);
      this.entries[slot] = 0;
      this.#rest(slot, nowMs);
    }
    this.#drained = end;
    this.#isDraining = end < this.#touched;
    return end - from;
  }

  /** Entries of the cache are others' from the next turn on. */
  forgetEntries(): void {
    if (this.#isDraining) this.entries.fill(0);
  }

  #rest(slot: number, nowMs: number): void {
    this.places[slot] = -1;
    const at = (this.#restingFrom + this.#restingCount) % this.shape.slots;
    this.#resting[at] = slot;
    this.#restedAtMs[at] = nowMs + QUARANTINE_MS;
    this.#restingCount++;
  }

  release(nowMs: number): void {
    while (this.#restingCount > 0 && (this.#restedAtMs[this.#restingFrom] ?? 0) <= nowMs) {
      this.#free[this.#freeCount++] = this.#resting[this.#restingFrom] ?? 0;
      this.#restingFrom = (this.#restingFrom + 1) % this.shape.slots;
      this.#restingCount--;
    }
  }

  /** Who has to go next (SIEVE's hand, by way of the slots); -1 when there is nobody. It is not taken out. */
  sift(): number {
    if (this.#live === 0) return -1;
    let spared = 0;
    for (;;) {
      if (this.#hand >= this.#touched) this.#hand = 0;
      const slot = this.#hand++;
      if (this.entries[slot] === 0) continue;
      this.fold(slot);
      if (this.#marks[slot] === 0 || spared++ >= MOST_SPARED) return slot;
      this.#marks[slot] = 0;
    }
  }

  isMarked(slot: number): boolean {
    return this.#marks[slot] !== 0;
  }

  /** Adds up what the programs counted in slots from this one on. */
  sweep(from: number, count: number): void {
    const end = Math.min(this.#touched, from + count);
    for (let slot = from; slot < end; slot++) {
      this.heat[slot] = (this.heat[slot] ?? 0) >>> 1;
      this.fold(slot);
    }
  }

  fold(slot: number): void {
    const { words } = this;
    const word = slot * this.wordsPerSlot;
    if (words[word + USED_WORD] !== 0) {
      words[word + USED_WORD] = 0;
      this.#marks[slot] = 1;
    }
    const seen = slot * COUNTERS;
    let hits = 0;
    for (let i = 0; i < COUNTERS; i++) {
      const now = words[word + HITS_WORD + i] ?? 0;
      const delta = (now - (this.#seen[seen + i] ?? 0)) >>> 0;
      this.#deltas[i] = delta;
      if (delta === 0) continue;
      this.#seen[seen + i] = now;
      if (i < HIT_KINDS) hits += delta;
    }
    if (hits > 0 || this.#deltas[HIT_KINDS] !== 0) this.#account(slot, hits);
  }

  #account(slot: number, hits: number): void {
    this.#marks[slot] = 1;
    this.heat[slot] = Math.min((this.heat[slot] ?? 0) + hits, 0xffff_ffff);
    this.#tallies[slot]?.add(this.#answerOf(slot), this.#deltas, this.#deltas[HIT_KINDS] ?? 0);
    const entry = this.entries[slot] ?? 0;
    if (entry !== 0) this.#onUsed(entry, hits);
  }

  /** A slot keeps what it says until it is written again. */
  #answerOf(slot: number): HitAnswer {
    const { bytes } = this;
    const at = 4 * slot * this.wordsPerSlot;
    const u16 = (field: number) => (bytes[at + field] ?? 0) | ((bytes[at + field + 1] ?? 0) << 8);
    return {
      type: u16(ANSWER_SLOT_AT.type),
      rcode: (bytes[at + ANSWER_SLOT_AT.headerBits] ?? 0) & 0x0f,
      dnssecOk: ((bytes[at + ANSWER_SLOT_AT.keyBits] ?? 0) & ANSWER_DNSSEC_OK) !== 0,
      isDenial: this.#isDenial[slot] !== 0,
      nameLength: bytes[at + ANSWER_SLOT_AT.nameLength] ?? 0,
      tailLength: u16(ANSWER_SLOT_AT.tailLength),
    };
  }
}
