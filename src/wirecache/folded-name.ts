/**
 * A name in lower case with its hash, made four bytes at a time. Writer and readers must come to the same hash, so both
 * have it from here. It is no cryptographic hash: names chosen to collide can at worst crowd each other out of a set of
 * sixteen, whatever they are, since all work is bounded by the size of a set.
 */
import type { Memory } from './memory.ts';

/** 255 bytes, rounded up. */
const NAME_WORDS = 64;

export class FoldedName {
  /** Bytes on the wire, the root's zero included. */
  length = 0;
  /** The last word is filled up with zeros. */
  readonly words = new Int32Array(NAME_WORDS);
  readonly bytes = new Uint8Array(this.words.buffer);
  #hash = 0;
  readonly #seed: number;
  readonly #multiplier: number;

  constructor({ seed, multiplier }: Pick<Memory, 'seed' | 'multiplier'>) {
    this.#seed = seed;
    this.#multiplier = multiplier;
  }

  /** `at` counts words. What stands behind the name in its last word does not matter. */
  fold(source: Int32Array, at: number, length: number): void {
    const { words } = this;
    const multiplier = this.#multiplier;
    const whole = length >> 2;
    let hash = this.#seed;
    for (let i = 0; i < whole; i++) {
      const word = lowerCase(source[at + i] ?? 0);
      words[i] = word;
      hash = Math.imul(hash ^ word, multiplier);
      hash ^= hash >>> 15;
    }
    const rest = length & 3;
    if (rest !== 0) {
      const word = lowerCase((source[at + whole] ?? 0) & ((1 << (8 * rest)) - 1));
      words[whole] = word;
      hash = Math.imul(hash ^ word, multiplier);
      hash ^= hash >>> 15;
    }
    this.length = length;
    this.#hash = hash;
  }

  /** Of the whole key: `kind` is type and class, `owner` whatever else tells keys apart. */
  hash(kind: number, owner: number): number {
    let hash = Math.imul(this.#hash ^ kind, this.#multiplier);
    hash ^= hash >>> 13;
    hash = Math.imul(hash ^ owner, this.#multiplier);
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x7feb_352d);
    return hash ^ (hash >>> 15);
  }
}

/**
 * Adds 0x20 to each byte from `A` to `Z`. Seven bits of a byte plus 0x3f reach the eighth from 0x41 on, plus 0x25 from
 * 0x5b on, and no sum reaches the next byte. Length bytes are below 0x40 and stay.
 */
function lowerCase(word: number): number {
  const low = word & 0x7f7f_7f7f;
  const capitals = (low + 0x3f3f_3f3f) & ~(low + 0x2525_2525) & ~word & 0x8080_8080;
  return word | (capitals >>> 2);
}
