/**
 * Random numbers that a seed repeats (sfc32). Not `host.random`: a fuzzer draws a dozen numbers for each packet, and must
 * draw the same ones on every machine.
 */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) | 0;
    this.#c = 0x9e37_79b9;
    // The first numbers of similar seeds are similar.
    for (let i = 0; i < 16; i++) this.next();
  }

  /** 0 to 2^32-1. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 to `count` - 1; `count` is at least 1. */
  below(count: number): number {
    return this.next() % count;
  }

  /** Throws when there is nothing to draw from. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('There is nothing to draw from');
    return item;
  }
}
