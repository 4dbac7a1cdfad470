/**
 * One answer of the cache made ready to be written into slots, for as many listeners as have it: whether the programs may
 * give it at all, until when, and everything of it that is the same wherever it goes. Made once, used for every answer:
 * nothing is allocated.
 */
import { TYPE } from '../dns/codes.ts';
import type { EntrySource, PartitionSpec } from '../wirecache/contract.ts';
import {
  ANSWER_CHECKING_DISABLED,
  ANSWER_DNSSEC_OK,
  ANSWER_KEEP_TTL,
  ANSWER_LOGGED,
  ANSWER_ROTATE,
  ANSWER_SLOT_AT,
  ANSWER_SLOT_SIZE,
  LARGE_TAIL_BYTES,
  MAX_ANSWER_TTLS,
  SMALL_NAME_BYTES,
  SMALL_TAIL_BYTES,
} from './answer-abi.gen.ts';
import type { CopiedRoute } from './contract.ts';
import type { SlotPool } from './slot-pool.ts';

const CLASS_IN = 1;
const NXDOMAIN = 3;
/** Type, class, TTL and data length, from the TTL on: four bytes and two. */
const TTL_TO_DATA = 6;
const TYPE_TO_TTL = 4;
const ADDRESS_BYTES = new Map<number, number>([
  [TYPE.A, 4],
  [TYPE.AAAA, 16],
]);
const GENERATION_WORD = ANSWER_SLOT_AT.generation / 4;
const HITS_WORD = ANSWER_SLOT_AT.hits / 4;
const USED_WORD = ANSWER_SLOT_AT.used / 4;
const NAME_WORD = ANSWER_SLOT_SIZE / 4;
const NS_PER_MS = 1e6;
const U32 = 0x1_0000_0000;
const MAX_U16 = 0xffff;

/** What is asked for is no record of a name but a question of another kind, of which each is the server's (RFC 6895, 3.1). */
function isMeta(type: number): boolean {
  return type >= 128 && type <= TYPE.ANY;
}

export class StagedAnswer {
  /** Of `enum answer_key_bit`. */
  keyBits = 0;
  type = 0;
  /** Fits into a small slot. */
  isSmall = false;
  isDenial = false;
  readonly #source: EntrySource;
  /** What is added to milliseconds of the cache's clock, in nanoseconds, to make CLOCK_MONOTONIC of them. */
  readonly #offsetNs: number;
  readonly #headWords = new Uint32Array(ANSWER_SLOT_SIZE / 4);
  readonly #head = new DataView(this.#headWords.buffer);
  readonly #tailWords = new Uint32Array(LARGE_TAIL_BYTES / 4);
  readonly #tail = new Uint8Array(this.#tailWords.buffer);
  #spec: PartitionSpec | undefined;
  #hasRun = false;

  constructor(source: EntrySource, offsetNs: number) {
    this.#source = source;
    this.#offsetNs = offsetNs;
  }

  /** Whether the key that the source has read is one that the programs know how to look up. */
  readKey(): boolean {
    const { nameBytes, nameLength, type, dnssecOk, checkingDisabled } = this.#source;
    if (this.#source.class !== CLASS_IN || type === TYPE.DS || isMeta(type)) return false;
    this.type = type;
    this.keyBits = (dnssecOk ? ANSWER_DNSSEC_OK : 0) | (checkingDisabled ? ANSWER_CHECKING_DISABLED : 0);
    // A zero within a label looks like the name's end.
    for (let i = 0; i < nameLength - 1; i++) if (nameBytes[i] === 0) return false;
    return true;
  }

  /** Reads what the cache would answer under that key; returns its entry, or 0 when the programs may answer nothing. */
  read(nowMs: number): number {
    const source = this.#source;
    this.#spec = source.specOf(source.partition);
    const entry = this.#choose(nowMs);
    if (entry === 0 || this.#spec === undefined) return 0;
    const rcode = source.headerBits & 0x0f;
    const records = source.answers + source.authorities + source.additionals;
    if (source.isServerError || (rcode !== 0 && rcode !== NXDOMAIN)) return 0;
    if (records > MAX_ANSWER_TTLS || source.recordBytes > LARGE_TAIL_BYTES) return 0;
    this.isSmall = source.nameLength <= SMALL_NAME_BYTES && source.recordBytes <= SMALL_TAIL_BYTES;
    return this.#stageTimes(nowMs) && this.#stageRecords(records) ? entry : 0;
  }

  /** False when not in this route's way: whatever it says of the answer must be true of every reply. */
  suits(route: CopiedRoute): boolean {
    return !route.shuffle || !(this.#source.isTangled || (this.#source.runCount > 1 && !this.#hasRun));
  }

  /** Into a slot that nobody reads; who finds its place from now on finds all of it. */
  write(pool: SlotPool, slot: number, view: number, route: CopiedRoute): number {
    const head = this.#head;
    const rotates = route.shuffle && this.#hasRun;
    const keeps = this.#spec?.keepTtl === true ? ANSWER_KEEP_TTL : 0;
    const limit = route.limitBytes ?? 0;
    head.setUint16(ANSWER_SLOT_AT.view, view, true);
    head.setUint8(
      ANSWER_SLOT_AT.flags,
      keeps | (rotates ? ANSWER_ROTATE : 0) | (route.logged ? ANSWER_LOGGED : 0),
    );
    // Nobody can advertise more than this.
    head.setUint16(ANSWER_SLOT_AT.limitBytes, limit > MAX_U16 ? 0 : limit, true);
    return this.#writeWords(pool, slot);
  }

  /** Returns the generation that the slot bears from now on. */
  #writeWords(pool: SlotPool, slot: number): number {
    const { words, wordsPerSlot, shape } = pool;
    const base = slot * wordsPerSlot;
    const { name, nameLength } = this.#source;
    const generation = pool.nextGeneration(slot);
    Atomics.store(words, base + GENERATION_WORD, 0);
    for (let i = GENERATION_WORD + 1; i < HITS_WORD; i++) words[base + i] = this.#headWords[i] ?? 0;
    words[base + USED_WORD] = 0;
    const nameWords = (nameLength + 3) >> 2;
    const nameRoom = shape.nameBytes >> 2;
    const nameAt = base + NAME_WORD;
    for (let i = 0; i < nameRoom; i++) words[nameAt + i] = i < nameWords ? (name[i] ?? 0) : 0;
    const tailAt = nameAt + nameRoom;
    const tailRoom = shape.tailBytes >> 2;
    for (let i = 0; i < tailRoom; i++) words[tailAt + i] = this.#tailWords[i] ?? 0;
    Atomics.store(words, base + GENERATION_WORD, generation);
    return generation;
  }

  /** By the rules of the `cache` plugin, as packet threads know them; leaves the source at the answer. */
  #choose(nowMs: number): number {
    const source = this.#source;
    const success = source.find('success');
    const denial = source.find('denial');
    if (success !== 0 && denial !== 0) {
      if (this.#spec?.positiveFirst) return 0;
      if (this.#isGood(denial, nowMs) && !source.isServerError) return this.#chosen(denial, true);
      return this.#isGood(success, nowMs) ? this.#chosen(success, false) : 0;
    }
    const entry = success === 0 ? denial : success;
    return entry !== 0 && this.#isGood(entry, nowMs) ? this.#chosen(entry, entry === denial) : 0;
  }

  #chosen(entry: number, isDenial: boolean): number {
    this.isDenial = isDenial;
    return entry;
  }

  #isGood(entry: number, nowMs: number): boolean {
    const source = this.#source;
    source.readAnswer(entry);
    return source.ttlSeconds - Math.trunc((nowMs - source.storedMs) / 1000) > 0;
  }

  /** False when nothing is left of it, or when it is the server's turn to ask again. */
  #stageTimes(nowMs: number): boolean {
    const { ttlSeconds, storedMs } = this.#source;
    const percent = this.#spec?.prefetch?.percent;
    // From then on the server looks at each query for itself, and may fetch the answer anew.
    const dueSeconds = percent === undefined ? 0 : Math.ceil((percent / 100) * ttlSeconds);
    const seconds = ttlSeconds - dueSeconds;
    if (seconds <= 0 || nowMs >= storedMs + seconds * 1000) return false;
    const storedNs = Math.round(storedMs * NS_PER_MS + this.#offsetNs);
    if (storedNs < 0) return false;
    this.#stageNs(ANSWER_SLOT_AT.storedNs, storedNs);
    this.#stageNs(ANSWER_SLOT_AT.untilNs, storedNs + seconds * 1e9);
    this.#head.setUint32(ANSWER_SLOT_AT.ttlSeconds, ttlSeconds, true);
    return true;
  }

  /** Exact to 104 days since the machine started, and to two nanoseconds for as long again. */
  #stageNs(at: number, ns: number): void {
    this.#head.setUint32(at, ns % U32, true);
    this.#head.setUint32(at + 4, Math.floor(ns / U32), true);
  }

  #stageRecords(records: number): boolean {
    const source = this.#source;
    const head = this.#head;
    const { recordBytes } = source;
    this.#tailWords.fill(0);
    source.copyRecords(this.#tail, 0);
    head.setUint16(ANSWER_SLOT_AT.type, source.type, true);
    head.setUint8(ANSWER_SLOT_AT.keyBits, this.keyBits);
    head.setUint8(ANSWER_SLOT_AT.headerBits, source.headerBits);
    head.setUint8(ANSWER_SLOT_AT.nameLength, source.nameLength);
    head.setUint16(ANSWER_SLOT_AT.answers, source.answers, true);
    head.setUint16(ANSWER_SLOT_AT.authorities, source.authorities, true);
    head.setUint16(ANSWER_SLOT_AT.additionals, source.additionals, true);
    head.setUint16(ANSWER_SLOT_AT.tailLength, recordBytes, true);
    head.setUint16(ANSWER_SLOT_AT.tailSum, this.#sumOfTail(recordBytes), true);
    let even = 0;
    for (let i = 0; i < MAX_ANSWER_TTLS; i++) {
      const place = i < records ? source.ttlPlace(i) : 0;
      if (i < records && (place & 1) === 0) even++;
      head.setUint16(ANSWER_SLOT_AT.ttlPlaces + 2 * i, place, true);
    }
    head.setUint8(ANSWER_SLOT_AT.ttlCount, records);
    head.setUint8(ANSWER_SLOT_AT.ttlEven, even);
    this.#stageRun();
    return true;
  }

  #sumOfTail(bytes: number): number {
    let sum = 0;
    const words = (bytes + 3) >> 2;
    for (let i = 0; i < words; i++) {
      const word = this.#tailWords[i] ?? 0;
      sum += (word & MAX_U16) + (word >>> 16);
    }
    while (sum > MAX_U16) sum = (sum & MAX_U16) + (sum >>> 16);
    return sum;
  }

  /** The run is one that the programs can begin anywhere only if each record is as long as the others. */
  #stageRun(): void {
    const { runFirst, runCount } = this.#source;
    const start = runFirst === 0 ? 0 : this.#endOf(runFirst - 1);
    const stride = runCount > 1 ? this.#endOf(runFirst) - start : 0;
    this.#hasRun = runCount > 1 && ((stride & 1) === 0 || this.#isAskedAddress(runFirst));
    for (let i = 1; i < runCount; i++) {
      if (this.#endOf(runFirst + i) !== start + (i + 1) * stride) this.#hasRun = false;
    }
    const head = this.#head;
    head.setUint16(ANSWER_SLOT_AT.runStart, this.#hasRun ? start : 0, true);
    head.setUint16(ANSWER_SLOT_AT.runStride, this.#hasRun ? stride : 0, true);
    head.setUint8(ANSWER_SLOT_AT.runCount, this.#hasRun ? runCount : 0);
  }

  /** The programs reckon what data of odd records does to the checksum, and know its length from the question alone. */
  #isAskedAddress(record: number): boolean {
    const ttlAt = this.#source.ttlPlace(record);
    const type = this.#u16(ttlAt - TYPE_TO_TTL);
    return type === this.#source.type && this.#u16(ttlAt + TTL_TO_DATA - 2) === ADDRESS_BYTES.get(type);
  }

  #endOf(record: number): number {
    const at = this.#source.ttlPlace(record) + TTL_TO_DATA;
    return at + this.#u16(at - 2);
  }

  #u16(at: number): number {
    return ((this.#tail[at] ?? 0) << 8) | (this.#tail[at + 1] ?? 0);
  }
}
