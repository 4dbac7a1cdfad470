/**
 * SIEVE (Zhang and others, NSDI 2024): entries stand in order of arrival; a hand walks from old to new, spares those used
 * since it last passed, and takes out the first that was not. One flood of names asked once cannot drive out the names
 * that are asked all the time, and a use costs one mark, which readers of other threads set. The links lie beside the
 * entries; who stands in two lists has two marks.
 */
import { CHUNK_BYTES, MARK_BYTE, SIDE_WORDS } from './layout.ts';
import type { Memory } from './memory.ts';

/** Entries a hand spares in one go, so that no insertion waits for long: after that, whoever it points at goes. */
const MOST_SPARED = 20_000;

/** Which of the links beside the entries, and which mark, belong to a list. */
export interface ListPlace {
  readonly older: number;
  readonly newer: number;
  readonly mark: number;
}

/** Of chunk numbers; 0 means none. */
export class SieveList {
  readonly #memory: Memory;
  readonly #place: ListPlace;
  #newest = 0;
  #oldest = 0;
  #hand = 0;
  #size = 0;

  constructor(memory: Memory, place: ListPlace) {
    this.#memory = memory;
    this.#place = place;
  }

  get size(): number {
    return this.#size;
  }

  get oldest(): number {
    return this.#oldest;
  }

  newerThan(entry: number): number {
    return this.#link(entry, this.#place.newer);
  }

  add(entry: number): void {
    const { older, newer } = this.#place;
    this.#setLink(entry, older, this.#newest);
    this.#setLink(entry, newer, 0);
    if (this.#newest !== 0) this.#setLink(this.#newest, newer, entry);
    this.#newest = entry;
    if (this.#oldest === 0) this.#oldest = entry;
    this.#size++;
  }

  take(entry: number): void {
    const { older, newer } = this.#place;
    const before = this.#link(entry, older);
    const after = this.#link(entry, newer);
    if (this.#hand === entry) this.#hand = after;
    if (after === 0) this.#newest = before;
    else this.#setLink(after, older, before);
    if (before === 0) this.#oldest = after;
    else this.#setLink(before, newer, after);
    this.#size--;
  }

  /** Who has to go next; 0 when the list is empty. It is not taken out. */
  sift(): number {
    let entry = this.#hand === 0 ? this.#oldest : this.#hand;
    for (let spared = 0; entry !== 0 && spared < MOST_SPARED && this.#wasUsed(entry); spared++) {
      const next = this.newerThan(entry);
      entry = next === 0 ? this.#oldest : next;
    }
    this.#hand = entry;
    return entry;
  }

  /** Takes the mark away. A reader that sets it at the same moment may lose it, and will set it again. */
  #wasUsed(entry: number): boolean {
    const { bytes, geometry } = this.#memory;
    const at = 4 * geometry.data + entry * CHUNK_BYTES + MARK_BYTE;
    const marks = bytes[at] ?? 0;
    if ((marks & this.#place.mark) === 0) return false;
    bytes[at] = marks & ~this.#place.mark;
    return true;
  }

  #link(entry: number, link: number): number {
    return this.#memory.words[this.#memory.geometry.side + entry * SIDE_WORDS + link] ?? 0;
  }

  #setLink(entry: number, link: number, target: number): void {
    this.#memory.words[this.#memory.geometry.side + entry * SIDE_WORDS + link] = target;
  }
}
