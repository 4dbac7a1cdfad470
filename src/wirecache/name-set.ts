/**
 * Names to forget, as hashes of their labels from the root down, so that thousands of entries are held against hundreds
 * of names in one pass. Two names with one hash make an entry go that could have stayed, which costs one more query.
 */
import type { Name } from '../dns/name.ts';
import { encodeLowerName } from './name-bytes.ts';

const FNV_BASIS = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;
/** What fits into a small integer of the engine. */
const KEPT_BITS = 0x3fff_ffff;
/** A name of 255 bytes has at most so many labels, the root included. */
const MAX_LABELS = 128;

export class NameSet {
  readonly #hashes = new Set<number>();
  /** Where the labels of the name in hand begin. */
  readonly #starts = new Uint32Array(MAX_LABELS);

  constructor(names: readonly Name[]) {
    for (const name of names) {
      const bytes = encodeLowerName(name);
      let last = 0;
      this.#walk(bytes, 0, (hash) => {
        last = hash;
        return false;
      });
      this.#hashes.add(last);
    }
  }

  /** Whether the name, in lower case on the wire, is one of these or below one. It begins at `from`. */
  holds(bytes: Uint8Array, from = 0): boolean {
    return this.#walk(bytes, from, this.#isOne);
  }

  readonly #isOne = (hash: number): boolean => this.#hashes.has(hash);

  /** From the root to the whole name, until `visit` says that it is enough. */
  #walk(bytes: Uint8Array, from: number, visit: (hash: number) => boolean): boolean {
    const starts = this.#starts;
    let labels = 0;
    for (let at = from; (bytes[at] ?? 0) !== 0; at += 1 + (bytes[at] ?? 0)) starts[labels++] = at;
    let hash = FNV_BASIS;
    if (visit(hash & KEPT_BITS)) return true;
    for (let label = labels - 1; label >= 0; label--) {
      const start = starts[label] ?? 0;
      const end = start + 1 + (bytes[start] ?? 0);
      for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), FNV_PRIME);
      if (visit(hash & KEPT_BITS)) return true;
    }
    return false;
  }
}
