/**
 * Test support: answers queries from a shelf by what bpf/answer-abi.h says of it and nothing else, as the kernel's
 * programs do. Knows nothing of how a shelf is filled; hashes, names and sums are its own.
 */
import {
  ANSWER_CHECKING_DISABLED,
  ANSWER_DNSSEC_OK,
  ANSWER_KEEP_TTL,
  ANSWER_LOGGED,
  ANSWER_ROTATE,
  ANSWER_SET_PLACES,
  ANSWER_SLOT_AT,
  ANSWER_SLOT_SIZE,
  type AnswerSlot,
  decodeAnswerSlot,
  LARGE_NAME_BYTES,
  MAX_ANSWER_TTLS,
  PLACE_GENERATION_SHIFT,
  PLACE_LARGE_BIT,
  PLACE_TAG_SHIFT,
  SMALL_NAME_BYTES,
} from '../answer-abi.gen.ts';
import { LARGE_SLOT_BYTES, type ShelfMemory, SMALL_SLOT_BYTES } from '../shelf-memory.ts';

const HEADER_BYTES = 12;
const OPT_BYTES = 11;

export interface FoundSlot {
  readonly slot: AnswerSlot;
  readonly isLarge: boolean;
  readonly number: number;
  readonly name: Uint8Array;
  readonly tail: Uint8Array;
}

export interface ReadReply {
  readonly bytes: Uint8Array;
  readonly isLogged: boolean;
  readonly rotates: boolean;
}

interface Question {
  readonly name: Uint8Array;
  readonly type: number;
  readonly keyBits: number;
  readonly end: number;
  readonly opt:
    | { readonly udpSize: number; readonly dnssecOk: boolean; readonly cookie: Uint8Array }
    | undefined;
}

export class ShelfReader {
  readonly #memory: ShelfMemory;

  constructor(memory: ShelfMemory) {
    this.#memory = memory;
  }

  /** The reply to a well-formed query, counted; undefined when it goes on to the server. */
  answer(query: Uint8Array, view: number, nowNs: bigint, family: 4 | 6 = 4): ReadReply | undefined {
    const question = readQuestion(query);
    const found = this.find(question.name, question.type, question.keyBits, view);
    if (found === undefined || found.slot.untilNs <= nowNs) return undefined;
    const { slot, tail } = found;
    const optBytes = question.opt === undefined ? 0 : OPT_BYTES + question.opt.cookie.length;
    const length = question.end + tail.length + optBytes;
    const udpSize = question.opt?.udpSize ?? 0;
    if (length > Math.max(512, udpSize) || length > (family === 4 ? 1480 : 1220)) return undefined;
    if (slot.limitBytes !== 0 && udpSize > slot.limitBytes) return undefined;
    assertSlot(found);
    const age = Number((nowNs - slot.storedNs) / 1_000_000_000n);
    const ttl = (slot.flags & ANSWER_KEEP_TTL) !== 0 ? slot.ttlSeconds : slot.ttlSeconds - Math.max(0, age);
    const bytes = new Uint8Array(length);
    bytes.set(query.subarray(0, question.end));
    bytes.set(tail, question.end);
    const view8 = new DataView(bytes.buffer);
    for (const place of slot.ttlPlaces.slice(0, slot.ttlCount)) view8.setUint32(question.end + place, ttl);
    const wantsAuthentic = question.opt?.dnssecOk === true || ((query[3] ?? 0) & 0x20) !== 0;
    bytes[2] = 0x84 | ((query[2] ?? 0) & 1);
    bytes[3] = (slot.headerBits & (wantsAuthentic ? 0xff : 0xdf)) | ((query[3] ?? 0) & 0x10);
    view8.setUint16(6, slot.answers);
    view8.setUint16(8, slot.authorities);
    view8.setUint16(10, slot.additionals + (question.opt === undefined ? 0 : 1));
    if (question.opt !== undefined) writeOpt(bytes, length - optBytes, question.opt);
    this.#count(found, family, question.opt?.cookie.length);
    return {
      bytes,
      isLogged: (slot.flags & ANSWER_LOGGED) !== 0,
      rotates: (slot.flags & ANSWER_ROTATE) !== 0,
    };
  }

  /** The name in any case. */
  find(name: Uint8Array, type: number, keyBits: number, view: number): FoundSlot | undefined {
    const folded = name.map((byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte));
    const hash = this.#hash(folded, type, view, keyBits);
    const set = hash & (this.#memory.sets - 1);
    for (let i = 0; i < ANSWER_SET_PLACES; i++) {
      const place = this.#memory.places[set * ANSWER_SET_PLACES + i] ?? 0n;
      if (place === 0n || Number(place >> BigInt(PLACE_TAG_SHIFT)) !== hash >>> 16) continue;
      const found = this.#open(place);
      const { slot } = found;
      const isKey =
        slot.generation === Number((place >> BigInt(PLACE_GENERATION_SHIFT)) & 0xffffn) &&
        slot.type === type &&
        slot.view === view &&
        slot.keyBits === keyBits &&
        slot.nameLength === name.length &&
        folded.every((byte, at) => byte === found.name[at]);
      if (isKey) return found;
    }
    return undefined;
  }

  /** Slots that places lead to, by size and number. */
  slots(): readonly FoundSlot[] {
    return [...this.#memory.places].filter((place) => place !== 0n).map((place) => this.#open(place));
  }

  #open(place: bigint): FoundSlot {
    const isLarge = ((place >> BigInt(PLACE_LARGE_BIT)) & 1n) === 1n;
    const number = Number(place & ((1n << BigInt(PLACE_LARGE_BIT)) - 1n));
    const memory = isLarge ? this.#memory.large : this.#memory.small;
    const size = isLarge ? LARGE_SLOT_BYTES : SMALL_SLOT_BYTES;
    const bytes = memory.subarray(number * size, (number + 1) * size);
    const slot = decodeAnswerSlot(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
    const tailAt = ANSWER_SLOT_SIZE + (isLarge ? LARGE_NAME_BYTES : SMALL_NAME_BYTES);
    return {
      slot,
      isLarge,
      number,
      name: bytes.subarray(ANSWER_SLOT_SIZE, tailAt),
      tail: bytes.subarray(tailAt, tailAt + slot.tailLength),
    };
  }

  #hash(name: Uint8Array, type: number, view: number, keyBits: number): number {
    const { seed, multiplier } = this.#memory;
    let h = seed;
    for (let at = 0; at < name.length; at += 4) {
      const word = [0, 1, 2, 3].reduce((sum, i) => sum + (name[at + i] ?? 0) * 256 ** i, 0);
      h = Math.imul(h ^ word, multiplier);
      h ^= h >>> 15;
    }
    h = Math.imul(h ^ (type | (1 << 16)), multiplier);
    h ^= h >>> 13;
    h = Math.imul(h ^ (view | (keyBits << 16)), multiplier);
    h ^= h >>> 16;
    h = Math.imul(h, 0x7feb352d);
    h ^= h >>> 15;
    return h >>> 0;
  }

  #count(found: FoundSlot, family: 4 | 6, cookieBytes: number | undefined): void {
    const { isLarge, number } = found;
    const memory = isLarge ? this.#memory.large : this.#memory.small;
    const at = memory.byteOffset + number * (isLarge ? LARGE_SLOT_BYTES : SMALL_SLOT_BYTES);
    const words = new Uint32Array(memory.buffer, at, ANSWER_SLOT_SIZE / 4);
    const kind = (family === 4 ? 0 : 3) + (cookieBytes === undefined ? 0 : cookieBytes === 0 ? 1 : 2);
    Atomics.add(words, ANSWER_SLOT_AT.hits / 4 + kind, 1);
    Atomics.add(words, ANSWER_SLOT_AT.cookieBytes / 4, cookieBytes ?? 0);
    words[ANSWER_SLOT_AT.used / 4] = 1;
  }
}

function readQuestion(query: Uint8Array): Question {
  let at = HEADER_BYTES;
  while ((query[at] ?? 0) !== 0) at += 1 + (query[at] ?? 0);
  const end = at + 5;
  const view = new DataView(query.buffer, query.byteOffset, query.length);
  const hasOpt = view.getUint16(10) === 1;
  const opt = hasOpt
    ? {
        udpSize: view.getUint16(end + 3),
        dnssecOk: ((query[end + 7] ?? 0) & 0x80) !== 0,
        cookie: query.subarray(end + OPT_BYTES),
      }
    : undefined;
  const checkingDisabled = ((query[3] ?? 0) & 0x10) !== 0 ? ANSWER_CHECKING_DISABLED : 0;
  return {
    name: query.subarray(HEADER_BYTES, at + 1),
    type: view.getUint16(at + 1),
    keyBits: checkingDisabled | (opt?.dnssecOk ? ANSWER_DNSSEC_OK : 0),
    end,
    opt,
  };
}

function writeOpt(bytes: Uint8Array, at: number, opt: NonNullable<Question['opt']>): void {
  const view = new DataView(bytes.buffer);
  view.setUint16(at + 1, 41);
  view.setUint16(at + 3, opt.udpSize);
  view.setUint16(at + 7, opt.dnssecOk ? 0x8000 : 0);
  view.setUint16(at + 9, opt.cookie.length);
  bytes.set(opt.cookie, at + OPT_BYTES);
}

/** What the programs take on trust: sum, places of TTLs, run. */
function assertSlot({ slot, tail, name }: FoundSlot): void {
  let sum = 0;
  for (let i = 0; i < tail.length; i += 2) sum += (tail[i] ?? 0) + 256 * (tail[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  const places = slot.ttlPlaces.slice(0, slot.ttlCount);
  const records = slot.answers + slot.authorities + slot.additionals;
  const wrong = [
    sum !== slot.tailSum && 'sum',
    slot.ttlCount > MAX_ANSWER_TTLS && 'too many TTLs',
    slot.ttlCount !== records && 'TTLs',
    places.filter((place) => place % 2 === 0).length !== slot.ttlEven && 'even TTLs',
    places.some((place) => place + 6 > tail.length) && 'TTL outside',
    name.subarray(slot.nameLength).some((byte) => byte !== 0) && 'name not filled up with zeros',
    (slot.flags & ANSWER_ROTATE) !== 0 && !isRun(slot, tail) && 'run',
  ].filter((word) => word !== false);
  if (wrong.length > 0) throw new Error(`A slot is wrong: ${wrong.join(', ')}`);
}

/** Records that lie one behind the other, alike but for their data; odd ones are addresses, and what was asked for. */
function isRun({ runStart, runStride, runCount, ttlPlaces, type }: AnswerSlot, tail: Uint8Array): boolean {
  if (runCount < 2 || runStart + runStride * runCount > tail.length) return false;
  const first = ttlPlaces.findIndex((place) => place > runStart);
  const heads = Array.from({ length: runCount }, (_, i) => {
    const ttlAt = ttlPlaces[first + i] ?? 0;
    return Buffer.from(tail.slice(runStart + i * runStride, ttlAt + 6)).toString('hex');
  });
  if (new Set(heads).size !== 1) return false;
  // Type, class IN, any TTL, length.
  const asked = new Map([
    [1, /00010001.{8}0004$/],
    [28, /001c0001.{8}0010$/],
  ]).get(type);
  return runStride % 2 === 0 || asked?.test(heads[0] ?? '') === true;
}
