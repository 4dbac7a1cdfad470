/**
 * Which keys were turned away lately, as a table of parts of their hashes: what is stored a second time is worth a slot,
 * and the names of a flood never are. It forgets (a later key may stand where an earlier one did) and is mistaken once in
 * some thousands of keys; neither costs more than a slot.
 */
const KEYS_PER_SLOT = 2;
const MOST_KEYS = 2 ** 20;
const TAG_SHIFT = 16;

export class SecondSight {
  /** 0: nobody's. */
  readonly #tags: Uint16Array;

  constructor(slots: number) {
    const bits = Math.ceil(Math.log2(Math.max(2, slots * KEYS_PER_SLOT)));
    this.#tags = new Uint16Array(Math.min(2 ** bits, MOST_KEYS));
  }

  /** Whether the key was here before, as far as is remembered; from now on it was. */
  knows(hash: number): boolean {
    const at = (hash & (this.#tags.length - 1)) >>> 0;
    const tag = hash >>> TAG_SHIFT || 1;
    if (this.#tags[at] === tag) return true;
    this.#tags[at] = tag;
    return false;
  }
}
