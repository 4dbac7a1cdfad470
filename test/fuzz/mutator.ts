/**
 * Makes packets from a corpus, one after the other in one buffer: nothing is allocated for a packet, since ten million of
 * them are made. What the next packet is depends on the seed alone.
 */
import type { Random } from './random.ts';

/** Longer than any query that is kept whole, shorter than what a datagram may be. */
export const MAX_PACKET_BYTES = 4096;
const HEADER_BYTES = 12;
/** One in so many packets is left as it is, but for its ID. */
const PLAIN_SHARE = 12;
/** One in so many is random from end to end. */
const NOISE_SHARE = 40;
/** Ends of ranges, label types, pointers, types that mean something. */
const TELLING = Uint8Array.of(
  0,
  1,
  2,
  4,
  12,
  16,
  28,
  41,
  63,
  64,
  65,
  127,
  128,
  191,
  192,
  193,
  250,
  252,
  254,
  255,
);

export class Mutator {
  /** The packet; what lies behind its length is of earlier ones. */
  readonly bytes = new Uint8Array(MAX_PACKET_BYTES);
  /** Whether the last packet is as it stood in the corpus, but for ID and letter case. */
  isPlain = false;
  readonly #random: Random;
  readonly #corpus: readonly Uint8Array[];
  #length = 0;

  constructor(random: Random, corpus: readonly Uint8Array[]) {
    this.#random = random;
    this.#corpus = corpus;
  }

  /** Makes the next packet and returns its length, 0 to `MAX_PACKET_BYTES`. */
  next(): number {
    const random = this.#random;
    this.isPlain = false;
    if (random.below(NOISE_SHARE) === 0) return this.#noise();
    this.#load(random.pick(this.#corpus));
    this.bytes[0] = random.next();
    this.bytes[1] = random.next();
    if (random.below(4) === 0) this.#playWithCase();
    this.isPlain = random.below(PLAIN_SHARE) === 0;
    if (this.isPlain) return this.#length;
    const rounds = 1 + (random.below(4) === 0 ? random.below(6) : 0);
    for (let i = 0; i < rounds; i++) this.#mutate();
    return this.#length;
  }

  #mutate(): void {
    const random = this.#random;
    const kind = random.below(12);
    if (kind < 2) this.#flipBit();
    else if (kind === 2) this.#put(this.#somewhere(), this.#telling());
    else if (kind === 3) this.#put(this.#somewhere(), random.next() & 0xff);
    else if (kind === 4) this.#length = random.below(this.#length + 1);
    else if (kind === 5) this.#splice();
    else if (kind === 6) this.#lieAboutCount();
    else if (kind === 7) this.#lieAboutLength();
    else if (kind === 8) this.#pointSomewhere();
    else if (kind === 9) this.#put(2 + random.below(2), random.next() & 0xff);
    else if (kind === 10) this.#repeat();
    else this.#grow();
  }

  #load(packet: Uint8Array): void {
    this.#length = Math.min(packet.length, MAX_PACKET_BYTES);
    for (let i = 0; i < this.#length; i++) this.bytes[i] = packet[i] ?? 0;
  }

  #noise(): number {
    const random = this.#random;
    const length = random.below(random.below(8) === 0 ? MAX_PACKET_BYTES : 120);
    for (let i = 0; i < length; i++) this.bytes[i] = random.next();
    // Half of it would be taken for replies, and most of the rest for unknown opcodes.
    if (random.below(2) === 0) {
      this.bytes[2] = 1;
      for (let i = 4; i < HEADER_BYTES; i++) this.bytes[i] = i === 5 ? 1 : 0;
    }
    return length;
  }

  #somewhere(): number {
    return this.#length === 0 ? 0 : this.#random.below(this.#length);
  }

  #telling(): number {
    return TELLING[this.#random.below(TELLING.length)] ?? 0;
  }

  #put(at: number, byte: number): void {
    if (at < this.#length) this.bytes[at] = byte;
  }

  #flipBit(): void {
    const at = this.#somewhere();
    this.bytes[at] = (this.bytes[at] ?? 0) ^ (1 << this.#random.below(8));
  }

  /** The end of another packet behind the beginning of this one. */
  #splice(): void {
    const other = this.#random.pick(this.#corpus);
    const at = this.#somewhere();
    const from = this.#random.below(other.length);
    const count = Math.min(other.length - from, MAX_PACKET_BYTES - at);
    for (let i = 0; i < count; i++) this.bytes[at + i] = other[from + i] ?? 0;
    this.#length = at + count;
  }

  #lieAboutCount(): void {
    const at = 4 + 2 * this.#random.below(4);
    const large = this.#random.below(3) === 0;
    this.#put(at, large ? this.#telling() : 0);
    this.#put(at + 1, large ? this.#telling() : this.#random.below(4));
  }

  /** Where a length is likely: of the first labels, or two bytes anywhere behind the question's beginning. */
  #lieAboutLength(): void {
    const random = this.#random;
    if (random.below(2) === 0) {
      let at = HEADER_BYTES;
      for (let hops = random.below(4); hops > 0 && at < this.#length; hops--) at += (this.bytes[at] ?? 0) + 1;
      this.#put(
        at,
        random.below(3) === 0 ? this.#telling() : ((this.bytes[at] ?? 0) + random.below(9) - 4) & 0xff,
      );
      return;
    }
    const at = HEADER_BYTES + random.below(Math.max(1, this.#length - HEADER_BYTES));
    this.#put(at, random.below(2) === 0 ? 0 : this.#telling());
    this.#put(at + 1, this.#telling());
  }

  #pointSomewhere(): void {
    const at = Math.max(HEADER_BYTES, this.#somewhere());
    const target = this.#random.below(3) === 0 ? this.#random.below(0x4000) : this.#random.below(at + 4);
    this.#put(at, 0xc0 | (target >> 8));
    this.#put(at + 1, target & 0xff);
  }

  /** A piece of the packet once more, behind itself. */
  #repeat(): void {
    const at = this.#somewhere();
    const count = Math.min(this.#random.below(48), this.#length - at, MAX_PACKET_BYTES - this.#length);
    this.bytes.copyWithin(at + count, at, this.#length);
    this.#length += count;
  }

  #grow(): void {
    const count = Math.min(this.#random.below(32), MAX_PACKET_BYTES - this.#length);
    for (let i = 0; i < count; i++) this.bytes[this.#length + i] = this.#random.next();
    this.#length += count;
  }

  /** The question's name as resolvers with 0x20 encoding spell it. */
  #playWithCase(): void {
    const { bytes } = this;
    let at = HEADER_BYTES;
    for (let size = bytes[at] ?? 0; size > 0 && size < 64 && at < this.#length; size = bytes[at] ?? 0) {
      const stop = Math.min(at + size + 1, this.#length);
      for (at++; at < stop; at++) {
        const byte = bytes[at] ?? 0;
        const letter = byte | 0x20;
        if (letter >= 0x61 && letter <= 0x7a && this.#random.below(2) === 0) bytes[at] = byte ^ 0x20;
      }
    }
  }
}
