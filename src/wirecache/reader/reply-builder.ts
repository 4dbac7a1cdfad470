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

  /** Returns the length of the reply. The caller has made sure that it fits. `ttlSeconds` goes into every record. */
  build(
    at: number,
    query: PacketQuery,
    { entry, ttlSeconds, shuffles }: { entry: number; ttlSeconds: number; shuffles: boolean },
  ): number {
    const head = this.#data + entry * CHUNK_WORDS;
    const source = this.#source;
    const bits = source[head + ENTRY.BITS] ?? 0;
    const extent = source[head + ENTRY.EXTENT] ?? 0;
    const recordBytes = extent >>> 16;
    this.#writeHeader(at, query, head);
    const records = at + query.questionEnd;
    this.#copyRecords(entry, query, { to: records, bytes: recordBytes });
    const count = this.#recordCount(head);
    if (ttlSeconds !== source[head + ENTRY.TTL]) this.#writeTtls(entry, { records, count, ttlSeconds });
    if (shuffles && (bits & BITS.RUN) !== 0) this.#shuffle(entry, records, bits);
    if (!query.hasOpt) return query.questionEnd + recordBytes;
    this.#writeOpt(records + recordBytes, query);
    return query.questionEnd + recordBytes + OPT_BYTES;
  }

  #recordCount(head: number): number {
    const counts = this.#source[head + ENTRY.COUNTS] ?? 0;
    return (counts & 0xffff) + (counts >>> 16) + ((this.#source[head + ENTRY.EXTENT] ?? 0) & 0xffff);
  }

  #writeHeader(at: number, query: PacketQuery, head: number): void {
    const words = this.#words;
    const first = at >> 2;
    const bits = this.#source[head + ENTRY.BITS] ?? 0;
    const counts = this.#source[head + ENTRY.COUNTS] ?? 0;
    const additionals = ((this.#source[head + ENTRY.EXTENT] ?? 0) & 0xffff) + (query.hasOpt ? 1 : 0);
    const wantsAuthentic = query.dnssecOk || (query.flagsLow & AUTHENTIC_DATA) !== 0;
    const shown = BITS.RCODE | BITS.RECURSION_AVAILABLE | (wantsAuthentic ? BITS.AUTHENTIC_DATA : 0);
    const high = RESPONSE_AUTHORITATIVE | (query.flagsHigh & RECURSION_DESIRED);
    const low = (bits & shown) | (query.flagsLow & CHECKING_DISABLED);
    words[first] = ((words[first] ?? 0) & 0xffff) | (high << 16) | (low << 24);
    words[first + 1] = 0x0100 | (swapped(counts & 0xffff) << 16);
    words[first + 2] = swapped(counts >>> 16) | (swapped(additionals) << 16);
  }

  #copyRecords(entry: number, query: PacketQuery, { to, bytes }: { to: number; bytes: number }): void {
    if (bytes === 0) return;
    const words = this.#words;
    const source = this.#source;
    const phase = to & 3;
    let target = to >> 2;
    let left = (phase + bytes + 3) >> 2;
    let word = this.#finder.placeWords(entry) + (query.nameLength >> 2);
    const kept = (1 << (8 * phase)) - 1;
    const question = (words[target] ?? 0) & kept;
    const start = target;
    while (left > 0) {
      let from = this.#finder.placeOf(entry, word);
      const room =
        word < FIRST_STREAM_WORDS
          ? FIRST_STREAM_WORDS - word
          : NEXT_STREAM_WORDS - ((word - FIRST_STREAM_WORDS) % NEXT_STREAM_WORDS);
      const count = Math.min(left, room);
      for (let i = 0; i < count; i++) words[target++] = source[from++] ?? 0;
      word += count;
      left -= count;
    }
    // The first word may hold the end of the question as well.
    if (phase !== 0) words[start] = ((words[start] ?? 0) & ~kept) | question;
  }

  #writeTtls(entry: number, { records, count, ttlSeconds }: TtlPlan): void {
    const bytes = this.#bytes;
    for (let i = 0; i < count; i++) {
      const at = records + this.#ttlPlace(entry, i);
      bytes[at] = ttlSeconds >>> 24;
      bytes[at + 1] = ttlSeconds >>> 16;
      bytes[at + 2] = ttlSeconds >>> 8;
      bytes[at + 3] = ttlSeconds;
    }
  }

  #ttlPlace(entry: number, record: number): number {
    const word =
      record < 2
        ? this.#source[this.#data + entry * CHUNK_WORDS + ENTRY.TTL_PLACES]
        : this.#source[this.#finder.placeOf(entry, (record - 2) >> 1)];
    return (record & 1) === 0 ? (word ?? 0) & 0xffff : (word ?? 0) >>> 16;
  }

  /** Every order is equally likely. The records of the run differ in nothing but their data, so only that moves. */
  #shuffle(entry: number, records: number, bits: number): void {
    const bytes = this.#bytes;
    const first = (bits >>> BITS.RUN_FIRST_SHIFT) & BITS.RUN_MASK;
    const count = (bits >>> BITS.RUN_COUNT_SHIFT) & BITS.RUN_MASK;
    const size = bytes[records + this.#ttlPlace(entry, first) + 5] ?? 0;
    for (let i = count - 1; i > 0; i--) {
      const other = this.#draw(i + 1);
      if (other === i) continue;
      const a = records + this.#ttlPlace(entry, first + i) + 6;
      const b = records + this.#ttlPlace(entry, first + other) + 6;
      for (let j = 0; j < size; j++) {
        const byte = bytes[a + j] ?? 0;
        bytes[a + j] = bytes[b + j] ?? 0;
        bytes[b + j] = byte;
      }
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

interface TtlPlan {
  readonly records: number;
  readonly count: number;
  readonly ttlSeconds: number;
}

function swapped(u16: number): number {
  return ((u16 & 0xff) << 8) | (u16 >>> 8);
}
