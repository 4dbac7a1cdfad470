/**
 * Answers a query where it lies, from the shared answers, byte for byte as the plugins of its route would (dns-server
 * 2.3, 3.7, 3.10), the order of addresses apart. Whatever is not plain is left to the main thread, which answers
 * everything. One reader belongs to one thread, allocates nothing while it answers, and takes no look at the clock.
 */

import type { PacketAnswerer, PacketAnswererOptions } from './contract.ts';
import { COUNTED_TYPES, COUNTER, countedType, durationBucket, sizeBucket } from './counter-layout.ts';
import { FoldedName } from './folded-name.ts';
import {
  BITS,
  CHUNK_WORDS,
  COUNTER_WORDS,
  ENTRY,
  HEAD,
  MARK_BYTE,
  MARKS,
  MAX_COUNTED,
  SEAT_WORDS,
  SIDE,
  SIDE_WORDS,
} from './layout.ts';
import { type Memory, openMemory } from './memory.ts';
import { EntryFinder } from './reader/entry-finder.ts';
import { OPT_BYTES, PacketQuery } from './reader/packet-query.ts';
import { ReplyBuilder } from './reader/reply-builder.ts';
import { type LocalRoute, RouteCopy } from './reader/route-copy.ts';

const CLASS_IN = 1 << 16;
const HEADER_WORDS = 3;
/** RFC 1035 section 4.2.1. */
const MIN_UDP_BYTES = 512;
/** Longer replies are compressed, which is the main thread's business (dns-server 2.3). */
const MAX_PLAIN_BYTES = { 4: 1480, 6: 1220 } as const;

/** `shared` is `AnswerCache.shared`. Throws on a machine that is not little-endian. */
export function createPacketAnswerer(
  shared: SharedArrayBuffer,
  options: PacketAnswererOptions,
): PacketAnswerer {
  if (new Uint8Array(Int32Array.of(1).buffer)[0] !== 1) throw new Error('This machine is not little-endian');
  return new SharedReader(openMemory(shared), options);
}

class SharedReader implements PacketAnswerer {
  lastRoute = -1;
  readonly #memory: Memory;
  readonly #words: Int32Array;
  readonly #packetWords: Int32Array;
  readonly #seatNumber: number;
  readonly #seat: number;
  readonly #query: PacketQuery;
  readonly #name: FoldedName;
  readonly #finder: EntryFinder;
  readonly #builder: ReplyBuilder;
  /** Seconds that the entry in hand has left. */
  #remaining = 0;
  /** Where the last answer of this batch is counted, and how many before it in a row; -1: none yet. */
  #slot = -1;
  #answeredInSlot = 0;
  /** Where those before were counted, and how many: what they took is known at the end. */
  readonly #slots = new Int32Array(MAX_COUNTED);
  #slotsUsed = 0;
  readonly #answered = new Int32Array(MAX_COUNTED);
  #startedMs = 0;
  #routesNumber = 0;
  #routes: RouteCopy;

  constructor(memory: Memory, { seat, packets, random = Math.random }: PacketAnswererOptions) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#packetWords = new Int32Array(packets);
    this.#seatNumber = seat;
    this.#seat = memory.geometry.seats + seat * SEAT_WORDS;
    this.#query = new PacketQuery(packets);
    this.#name = new FoldedName(memory);
    this.#finder = new EntryFinder(memory);
    this.#builder = new ReplyBuilder(memory, this.#finder, { packets, seed: random() * 0x1_0000_0000 });
    this.#routesNumber = Atomics.load(memory.words, HEAD.ROUTES);
    this.#routes = new RouteCopy(memory, this.#routesNumber);
  }

  begin(): void {
    const words = this.#words;
    // From the next entry on that is found, the writer knows that this reader may hold it (userspace-udp 12.1).
    Atomics.store(words, this.#seat, Atomics.load(words, HEAD.EPOCH));
    this.#finder.begin();
    const published = Atomics.load(words, HEAD.ROUTES);
    if (published === this.#routesNumber) return;
    this.#routesNumber = published;
    this.#routes = new RouteCopy(this.#memory, published);
  }

  end(nowMs: number): void {
    Atomics.store(this.#words, this.#seat, 0);
    if (this.#slot >= 0) this.#countDurations(Math.max(0, nowMs - this.#startedMs));
  }

  answer(at: number, length: number, listener: number, clientFamily: 4 | 6, nowMs: number): number {
    const query = this.#query;
    if (!query.read(at, length)) return 0;
    this.#name.fold(this.#packetWords, (at >> 2) + HEADER_WORDS, query.nameLength);
    const route = this.#routes.find(listener, this.#name);
    if (route === undefined || route.partition === 0) return 0;
    const entry = this.#find(route, nowMs);
    if (entry === 0 || !this.#fits(entry, route, clientFamily)) return 0;
    if (route.prefetchHits !== 0 && this.#isDue(entry, route, nowMs)) return 0;
    const { bytes, geometry } = this.#memory;
    const head = geometry.data + entry * CHUNK_WORDS;
    const marks = 4 * head + MARK_BYTE;
    if (bytes[marks] !== MARKS.BOTH) bytes[marks] = MARKS.BOTH;
    const ttlSeconds = route.keepsTtl ? (this.#words[head + ENTRY.TTL] ?? 0) : this.#remaining;
    const reply = this.#builder.build(at, query, entry, ttlSeconds, route.shuffles);
    this.lastRoute = route.id;
    if (route.counters >= 0) {
      if (route.counters !== this.#slot) this.#changeSlot(route.counters, nowMs);
      this.#answeredInSlot++;
      this.#count(route.counters, head, clientFamily, length, reply);
    }
    return reply;
  }

  /** By the rules of the `cache` plugin; 0 when what there is has expired. Leaves what remains of its TTL behind. */
  #find(route: LocalRoute, nowMs: number): number {
    const query = this.#query;
    const finder = this.#finder;
    const checkingDisabled = (query.flagsLow & 0x10) !== 0 ? BITS.CHECKING_DISABLED : 0;
    const bits = checkingDisabled | (query.dnssecOk ? BITS.DNSSEC_OK : 0);
    finder.find(this.#name, query.type | CLASS_IN, route.partition, bits);
    const { success, denial } = finder;
    if (denial === 0) return success !== 0 && this.#isGood(success, nowMs) ? success : 0;
    if (success === 0) return this.#isGood(denial, nowMs) ? denial : 0;
    if (route.positiveFirst) return 0;
    if (!this.#isServerError(denial) && this.#isGood(denial, nowMs)) return denial;
    if (this.#isGood(success, nowMs)) return success;
    return this.#isGood(denial, nowMs) ? denial : 0;
  }

  /** Age counts in whole seconds, and is not below zero if a batch began before the answer came. */
  #isGood(entry: number, nowMs: number): boolean {
    const head = this.#memory.geometry.data + entry * CHUNK_WORDS;
    const storedMs = this.#memory.doubles[(head + ENTRY.STORED) >> 1] ?? 0;
    this.#remaining = (this.#words[head + ENTRY.TTL] ?? 0) - (((nowMs - storedMs) / 1000) | 0);
    return this.#remaining > 0;
  }

  #isServerError(entry: number): boolean {
    const bits = this.#words[this.#memory.geometry.data + entry * CHUNK_WORDS + ENTRY.BITS] ?? 0;
    return (bits & BITS.SERVER_ERROR) !== 0;
  }

  /** Whether the reply goes out whole, uncompressed, and in an order that can be drawn here. */
  #fits(entry: number, route: LocalRoute, clientFamily: 4 | 6): boolean {
    const { hasOpt, questionEnd, udpSize } = this.#query;
    const head = this.#memory.geometry.data + entry * CHUNK_WORDS;
    if (route.shuffles && ((this.#words[head + ENTRY.BITS] ?? 0) & BITS.TANGLED) !== 0) return false;
    if (route.limitBytes !== 0 && udpSize > route.limitBytes) return false;
    const bytes = questionEnd + ((this.#words[head + ENTRY.EXTENT] ?? 0) >>> 16) + (hasOpt ? OPT_BYTES : 0);
    return bytes <= Math.max(udpSize, MIN_UDP_BYTES) && bytes <= MAX_PLAIN_BYTES[clientFamily];
  }

  /** Counts the hit, unless it is one that should fetch the answer anew: that one the main thread counts. */
  #isDue(entry: number, route: LocalRoute, nowMs: number): boolean {
    const words = this.#words;
    const { geometry } = this.#memory;
    const side = geometry.side + entry * SIDE_WORDS;
    const pause = ((nowMs | 0) - (words[side + SIDE.LAST_HIT] ?? 0)) | 0;
    const hits = pause >= 0 && pause < route.prefetchGapMs ? (words[side + SIDE.HITS] ?? 0) + 1 : 1;
    const ttlSeconds = words[geometry.data + entry * CHUNK_WORDS + ENTRY.TTL] ?? 0;
    const threshold = Math.ceil((route.prefetchPercent / 100) * ttlSeconds);
    if (hits >= route.prefetchHits && this.#remaining <= threshold) return true;
    words[side + SIDE.HITS] = hits;
    words[side + SIDE.LAST_HIT] = nowMs | 0;
    return false;
  }

  /** Most batches are of one route. */
  #changeSlot(slot: number, nowMs: number): void {
    if (this.#slot < 0) this.#startedMs = nowMs;
    else this.#keepSlot();
    this.#slot = slot;
    this.#answeredInSlot = 0;
  }

  #keepSlot(): void {
    const before = this.#answered[this.#slot] ?? 0;
    if (before === 0) this.#slots[this.#slotsUsed++] = this.#slot;
    this.#answered[this.#slot] = before + this.#answeredInSlot;
  }

  /** One look at the clock for a whole batch: each of its answers took no longer than all together. */
  #countDurations(tookMs: number): void {
    const bucket = COUNTER.DURATIONS + durationBucket(tookMs / 1000);
    this.#keepSlot();
    for (let i = 0; i < this.#slotsUsed; i++) {
      const slot = this.#slots[i] ?? 0;
      const answers = this.#answered[slot] ?? 0;
      const base = this.#countersAt(slot);
      add(this.#words, base + bucket, answers);
      add(this.#words, base + COUNTER.MICROSECONDS, Math.round(answers * tookMs * 1000));
      this.#answered[slot] = 0;
    }
    this.#slotsUsed = 0;
    this.#slot = -1;
  }

  #countersAt(slot: number): number {
    return this.#memory.geometry.counters + (this.#seatNumber * MAX_COUNTED + slot) * COUNTER_WORDS;
  }

  /** Arguments one by one: an object would be garbage, and this is the hot path. */
  #count(slot: number, head: number, clientFamily: 4 | 6, request: number, reply: number): void {
    const words = this.#words;
    const { dnssecOk, hasOpt, type } = this.#query;
    const base = this.#countersAt(slot);
    const bits = words[head + ENTRY.BITS] ?? 0;
    // As the metrics want it: without the OPT record, which is between two neighbours.
    const bytes = hasOpt ? reply - OPT_BYTES : reply;
    const family = clientFamily === 4 ? 0 : COUNTED_TYPES.length;
    add(words, base + COUNTER.REQUESTS + family + countedType(type), 1);
    add(words, base + COUNTER.RCODES + (bits & BITS.RCODE), 1);
    if (dnssecOk) add(words, base + COUNTER.DNSSEC_OK, 1);
    add(words, base + ((bits & BITS.DENIAL) === 0 ? COUNTER.SUCCESS_HITS : COUNTER.DENIAL_HITS), 1);
    add(words, base + COUNTER.REQUEST_BYTES, request);
    add(words, base + COUNTER.RESPONSE_BYTES, bytes);
    add(words, base + COUNTER.REQUEST_SIZES + sizeBucket(request), 1);
    add(words, base + COUNTER.RESPONSE_SIZES + sizeBucket(bytes), 1);
  }
}

/** Nobody else writes these words. */
function add(words: Int32Array, at: number, by: number): void {
  words[at] = (words[at] ?? 0) + by;
}
