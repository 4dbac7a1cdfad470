/**
 * Looks a question up on the reader's side. One set of slots holds both shares of a name, so one pass finds both. What it
 * finds stays as it is until the reader's batch ends.
 */
import type { FoldedName } from '../folded-name.ts';
import {
  BITS,
  CHUNK_WORDS,
  ENTRY,
  FIRST_STREAM_WORDS,
  HEAD,
  KEY_BITS,
  NAME_LENGTH_SHIFT,
  NEXT_STREAM_WORDS,
  OWNER_KEY_MASK,
  SET_SLOTS,
  tableOffset,
} from '../layout.ts';
import type { Memory } from '../memory.ts';

export class EntryFinder {
  /** Chunk numbers of the last look-up; 0 when there is none. */
  success = 0;
  denial = 0;
  readonly #memory: Memory;
  readonly #words: Int32Array;
  readonly #refMask: number;
  readonly #data: number;
  #table = 0;
  #setMask = 0;
  /** What is looked for. */
  #kind = 0;
  #bits = 0;
  #owner = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#refMask = 2 ** memory.geometry.refBits - 1;
    this.#data = memory.geometry.data;
  }

  /**
   * At the start of a batch, after the epoch was noted: the table in use then is good until the batch ends. The atomic
   * load cannot pass the atomic store of the epoch before it, and no plain load of the batch can pass the atomic load. So
   * the slots that `find` reads plainly are no older than the epoch; and what they lead to was written before them and is
   * read at an address made of them, which arm64 keeps in order as well.
   */
  begin(): void {
    const level = Atomics.load(this.#words, HEAD.LEVEL);
    this.#table = this.#memory.geometry.index + tableOffset(level);
    this.#setMask = (1 << level) - 1;
  }

  /** Of `partition`, with these `KEY_BITS`. Arguments one by one: an object would be garbage, and this is the hot path. */
  find(name: FoldedName, kind: number, partition: number, bits: number): void {
    this.success = 0;
    this.denial = 0;
    this.#kind = kind;
    this.#bits = bits;
    this.#owner = partition | (name.length << NAME_LENGTH_SHIFT);
    const words = this.#words;
    const tagMask = ~this.#refMask;
    const hash = name.hash(kind, partition | (bits << 16));
    const tag = hash & tagMask;
    const set = this.#table + (hash & this.#setMask) * SET_SLOTS;
    for (let at = set; at < set + SET_SLOTS; at++) {
      const slot = words[at] ?? 0;
      if (slot === 0) return;
      if ((slot & tagMask) === tag) this.#consider(slot & this.#refMask, name);
    }
  }

  #consider(entry: number, name: FoldedName): void {
    const words = this.#words;
    const head = this.#data + entry * CHUNK_WORDS;
    const bits = words[head + ENTRY.BITS] ?? 0;
    if (((words[head + ENTRY.OWNER] ?? 0) & OWNER_KEY_MASK) !== this.#owner) return;
    if (words[head + ENTRY.KIND] !== this.#kind || (bits & KEY_BITS) !== this.#bits) return;
    if (!this.#hasName(entry, name)) return;
    if ((bits & BITS.DENIAL) === 0) this.success = entry;
    else this.denial = entry;
  }

  /** Words behind the head before the name. */
  placeWords(entry: number): number {
    const head = this.#data + entry * CHUNK_WORDS;
    const counts = this.#words[head + ENTRY.COUNTS] ?? 0;
    const records = (counts & 0xffff) + (counts >>> 16) + ((this.#words[head + ENTRY.EXTENT] ?? 0) & 0xffff);
    return records <= 2 ? 0 : (records - 1) >> 1;
  }

  #hasName(entry: number, name: FoldedName): boolean {
    const words = this.#words;
    const folded = name.words;
    const whole = name.length >> 2;
    const rest = name.length & 3;
    const from = this.placeWords(entry);
    let at = this.#data + entry * CHUNK_WORDS + ENTRY.STREAM + from;
    if (from + whole >= FIRST_STREAM_WORDS) return this.#hasNameInPieces(entry, from, name);
    for (let i = 0; i < whole; i++) if (words[at++] !== folded[i]) return false;
    return rest === 0 || (((words[at] ?? 0) ^ (folded[whole] ?? 0)) & ((1 << (8 * rest)) - 1)) === 0;
  }

  #hasNameInPieces(entry: number, from: number, name: FoldedName): boolean {
    const count = (name.length + 3) >> 2;
    const rest = name.length & 3;
    const mask = rest === 0 ? -1 : (1 << (8 * rest)) - 1;
    for (let i = 0; i < count; i++) {
      const word = this.#words[this.placeOf(entry, from + i)] ?? 0;
      if (((word ^ (name.words[i] ?? 0)) & (i === count - 1 ? mask : -1)) !== 0) return false;
    }
    return true;
  }

  /** Where the word lies that is so many words behind the head of an entry. */
  placeOf(entry: number, word: number): number {
    const words = this.#words;
    if (word < FIRST_STREAM_WORDS) return this.#data + entry * CHUNK_WORDS + ENTRY.STREAM + word;
    let chunk = words[this.#data + entry * CHUNK_WORDS + ENTRY.NEXT] ?? 0;
    let left = word - FIRST_STREAM_WORDS;
    for (; left >= NEXT_STREAM_WORDS; left -= NEXT_STREAM_WORDS) {
      chunk = words[this.#data + chunk * CHUNK_WORDS + ENTRY.NEXT] ?? 0;
    }
    return this.#data + chunk * CHUNK_WORDS + 1 + left;
  }
}
