/**
 * Builds a reply over the query in its own memory, from the records of an entry. The records lie in the entry at the
 * phase they have in the reply, so they are copied word by word; up to three bytes behind them are written over.
 */

import { BITS, CHUNK_WORDS, ENTRY, FIRST_STREAM_WORDS, NEXT_STREAM_WORDS } from '../layout.ts';
import type { Memory } from '../memory.ts';
import type { EntryFinder } from './entry-finder.ts';
import { OPT_BYTES, type PacketQuery } from './packet-query.ts';

/** Third byte of the header: QR and AA (dns-server 3.7), and RD of the query. */
const RESPONSE_AUTHORITATIVE = 0x84;
const RECURSION_DESIRED = 0x01;
/** Fourth byte. */
const AUTHENTIC_DATA = 0x20;
const CHECKING_DISABLED = 0x10;
const OPT_TYPE = 41;

export class ReplyBuilder {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #source: Int32Array;
  readonly #data: number;
  readonly #finder: EntryFinder;
  #random: number;
  /** Of the reply being built: objects to pass around would be garbage, and this is the hot path. */
  #entry = 0;
  #head = 0;
  /** Where the records begin in the packet, in bytes, and how many there are. */
  #records = 0;
  #count = 0;
  #additionals = 0;

  constructor(
    memory: Memory,
    finder: EntryFinder,
    { packets, seed }: { packets: ArrayBufferLike; seed: number },
  ) {
    this.#words = new Int32Array(packets);
    this.#bytes = new Uint8Array(packets);
    this.#source = memory.words;
    this.#data = memory.geometry.data;
    this.#finder = finder;
    // Xorshift never leaves zero.
    this.#random = seed | 1;
  }

  /** Returns the length of the reply; the caller has made sure that it fits. `ttlSeconds` goes into every record. */
  build(at: number, query: PacketQuery, entry: number, ttlSeconds: number, shuffles: boolean): number {
    const source = this.#source;
    const head = this.#data + entry * CHUNK_WORDS;
    const counts = source[head + ENTRY.COUNTS] ?? 0;
    const extent = source[head + ENTRY.EXTENT] ?? 0;
    const recordBytes = extent >>> 16;
    this.#entry = entry;
    this.#head = head;
    this.#records = at + query.questionEnd;
    this.#additionals = extent & 0xffff;
    this.#count = (counts & 0xffff) + (counts >>> 16) + (extent & 0xffff);
    this.#writeHeader(at >> 2, query);
    if (recordBytes !== 0) this.#copyRecords(query.nameLength >> 2, recordBytes);
    if (ttlSeconds !== source[head + ENTRY.TTL]) this.#writeTtls(ttlSeconds);
    const bits = source[head + ENTRY.BITS] ?? 0;
    if (shuffles && (bits & BITS.RUN) !== 0) this.#shuffle(bits);
    if (!query.hasOpt) return query.questionEnd + recordBytes;
    this.#writeOpt(this.#records + recordBytes, query);
    return query.questionEnd + recordBytes + OPT_BYTES;
  }

  #writeHeader(first: number, query: PacketQuery): void {
    const words = this.#words;
    const bits = this.#source[this.#head + ENTRY.BITS] ?? 0;
    const counts = this.#source[this.#head + ENTRY.COUNTS] ?? 0;
    const additionals = this.#additionals + (query.hasOpt ? 1 : 0);
    const wantsAuthentic = query.dnssecOk || (query.flagsLow & AUTHENTIC_DATA) !== 0;
    const shown = BITS.RCODE | BITS.RECURSION_AVAILABLE | (wantsAuthentic ? BITS.AUTHENTIC_DATA : 0);
    const high = RESPONSE_AUTHORITATIVE | (query.flagsHigh & RECURSION_DESIRED);
    const low = (bits & shown) | (query.flagsLow & CHECKING_DISABLED);
    words[first] = ((words[first] ?? 0) & 0xffff) | (high << 16) | (low << 24);
    words[first + 1] = 0x0100 | (swapped(counts & 0xffff) << 16);
    words[first + 2] = swapped(counts >>> 16) | (swapped(additionals) << 16);
  }

  /** `nameWord` is the word of the name in which it ends, and the records begin. */
  #copyRecords(nameWord: number, bytes: number): void {
    const words = this.#words;
    const source = this.#source;
    const phase = this.#records & 3;
    const first = this.#records >> 2;
    const kept = (1 << (8 * phase)) - 1;
    const question = (words[first] ?? 0) & kept;
    let word = this.#finder.placeWords(this.#entry) + nameWord;
    let left = (phase + bytes + 3) >> 2;
    let target = first;
    let from = this.#head + ENTRY.STREAM + word;
    let room = FIRST_STREAM_WORDS - word;
    for (;;) {
      if (room > 0) {
        const count = Math.min(left, room);
        for (let i = 0; i < count; i++) words[target + i] = source[from + i] ?? 0;
        target += count;
        word += count;
        left -= count;
      }
      if (left === 0) break;
      from = this.#finder.placeOf(this.#entry, word);
      room = NEXT_STREAM_WORDS - ((word - FIRST_STREAM_WORDS) % NEXT_STREAM_WORDS);
    }
    // The first word may hold the end of the question as well.
    if (phase !== 0) words[first] = ((words[first] ?? 0) & ~kept) | question;
  }

  #writeTtls(ttlSeconds: number): void {
    const bytes = this.#bytes;
    for (let i = 0; i < this.#count; i++) {
      const at = this.#records + this.#ttlPlace(i);
      bytes[at] = ttlSeconds >>> 24;
      bytes[at + 1] = ttlSeconds >>> 16;
      bytes[at + 2] = ttlSeconds >>> 8;
      bytes[at + 3] = ttlSeconds;
    }
  }

  #ttlPlace(record: number): number {
    const at =
      record < 2 ? this.#head + ENTRY.TTL_PLACES : this.#finder.placeOf(this.#entry, (record - 2) >> 1);
    const word = this.#source[at] ?? 0;
    return (record & 1) === 0 ? word & 0xffff : word >>> 16;
  }

  /** Every order is equally likely. The records of the run differ in nothing but their data, so only that moves. */
  #shuffle(bits: number): void {
    const first = (bits >>> BITS.RUN_FIRST_SHIFT) & BITS.RUN_MASK;
    const count = (bits >>> BITS.RUN_COUNT_SHIFT) & BITS.RUN_MASK;
    const size = this.#bytes[this.#records + this.#ttlPlace(first) + 5] ?? 0;
    for (let i = count - 1; i > 0; i--) {
      const other = this.#draw(i + 1);
      if (other !== i) this.#swap(this.#ttlPlace(first + i) + 6, this.#ttlPlace(first + other) + 6, size);
    }
  }

  #swap(a: number, b: number, size: number): void {
    const bytes = this.#bytes;
    for (let i = this.#records; i < this.#records + size; i++) {
      const byte = bytes[a + i] ?? 0;
      bytes[a + i] = bytes[b + i] ?? 0;
      bytes[b + i] = byte;
    }
  }

  /** From 0 to `below` - 1. */
  #draw(below: number): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return (((x >>> 0) / 0x1_0000_0000) * below) | 0;
  }

  #writeOpt(at: number, { udpSize, dnssecOk }: PacketQuery): void {
    const bytes = this.#bytes;
    bytes[at] = 0;
    bytes[at + 1] = 0;
    bytes[at + 2] = OPT_TYPE;
    bytes[at + 3] = udpSize >> 8;
    bytes[at + 4] = udpSize;
    bytes[at + 5] = 0;
    bytes[at + 6] = 0;
    bytes[at + 7] = dnssecOk ? 0x80 : 0;
    bytes[at + 8] = 0;
    bytes[at + 9] = 0;
    bytes[at + 10] = 0;
  }
}

function swapped(u16: number): number {
  return ((u16 & 0xff) << 8) | (u16 >>> 8);
}
