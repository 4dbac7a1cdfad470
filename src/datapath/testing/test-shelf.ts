/**
 * Test support: one shelf of the answer map, made and filled by system calls, element by element. A second writer beside the
 * one in src/answermap, made from bpf/answer-abi.h alone; it does not recycle anything.
 */
import {
  ANSWER_CHECKING_DISABLED,
  ANSWER_DNSSEC_OK,
  ANSWER_HEAD_SIZE,
  ANSWER_KEEP_TTL,
  ANSWER_LAYOUT,
  ANSWER_LOG_BYTES,
  ANSWER_LOGGED,
  ANSWER_ROTATE,
  ANSWER_SET_PLACES,
  ANSWER_SLOT_SIZE,
  type AnswerHead,
  type AnswerLog,
  type AnswerSlot,
  decodeAnswerHead,
  decodeAnswerLog,
  decodeAnswerSlot,
  encodeAnswerHead,
  encodeAnswerSlot,
  LARGE_NAME_BYTES,
  PLACE_GENERATION_SHIFT,
  PLACE_LARGE_BIT,
  PLACE_TAG_SHIFT,
  SMALL_NAME_BYTES,
  SMALL_TAIL_BYTES,
} from '../../answermap/answer-abi.gen.ts';
import { BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import { RingBuffer } from '../../sys/ring/ring-buffer.ts';
import { OUTER_MAPS, partSpec, SHELF_PARTS, type ShelfPart } from '../answers/shelf-layout.ts';
import type { AnswerShelf } from '../datapath.ts';
import { createMap } from '../kernel/pins.ts';
import { asciiLowerCase, recordBytes, runStart, type TestAnswer } from './answer-oracle.ts';
import type { TestPrograms } from './test-programs.ts';

export interface LaidAnswer {
  readonly large: boolean;
  readonly slot: number;
  readonly storedNs: bigint;
}

export interface LoggedAnswer extends AnswerLog {
  readonly query: Uint8Array;
  readonly reply: Uint8Array;
}

const SETS = 64;
const SLOTS = 1024;
const SEED = 0x9e3779b9;
const MULTIPLIER = 0x85ebca6b;
const LOG_HEAD_BYTES = 56;

export class TestShelf {
  readonly #maps: Readonly<Record<ShelfPart, BpfMap>>;
  readonly #log: RingBuffer;
  readonly #head: AnswerHead;
  readonly #places: bigint[];
  readonly #letGo: () => void;
  #slots = 0;

  private constructor(maps: Readonly<Record<ShelfPart, BpfMap>>, head: AnswerHead, letGo: () => void) {
    this.#maps = maps;
    this.#head = head;
    this.#letGo = letGo;
    this.#log = new RingBuffer(maps.log.fd, ANSWER_LOG_BYTES);
    this.#places = new Array((head.setMask + 1) * ANSWER_SET_PLACES).fill(0n);
  }

  /** A shelf of its own, which these programs know by `number` until it is closed. */
  static make(programs: TestPrograms, number: number): TestShelf {
    const sizes = { sets: SETS, smallSlots: SLOTS, largeSlots: SLOTS, logBytes: ANSWER_LOG_BYTES };
    const open = (part: ShelfPart) => {
      const spec = partSpec(part, sizes);
      const map = new BpfMap(createMap(`test_${part}`, spec), { name: part, ...spec });
      programs.map(OUTER_MAPS[part]).update(u32Bytes(number), u32Bytes(map.fd));
      return map;
    };
    const maps = { index: open('index'), small: open('small'), large: open('large'), log: open('log') };
    const head = { seed: SEED, multiplier: MULTIPLIER, setMask: SETS - 1, layout: ANSWER_LAYOUT };
    const shelf = new TestShelf(maps, head, () => {
      for (const part of SHELF_PARTS) programs.map(OUTER_MAPS[part]).delete(u32Bytes(number));
      for (const part of SHELF_PARTS) maps[part].close();
    });
    shelf.writeHead(ANSWER_LAYOUT);
    return shelf;
  }

  /** One that a datapath has opened; it stays the datapath's. */
  static over(shelf: AnswerShelf): TestShelf {
    const open = (part: ShelfPart) =>
      new BpfMap(shelf.fds[SHELF_PARTS.indexOf(part)] ?? -1, { name: part, ...partSpec(part, shelf) });
    const maps = { index: open('index'), small: open('small'), large: open('large'), log: open('log') };
    const head = maps.index.lookup(u32Bytes(0));
    if (head === undefined) throw new Error('A shelf has a head');
    return new TestShelf(maps, decodeAnswerHead(head), () => undefined);
  }

  writeHead(layout: number): void {
    const head = encodeAnswerHead({ ...this.#head, layout });
    if (head.length !== ANSWER_HEAD_SIZE) throw new Error('A head is one element');
    this.#maps.index.update(u32Bytes(0), head);
  }

  /** Stored `ageSeconds` ago. `over`: what the slot says instead. `generation`: what the place says; the slot has 1. */
  put(answer: TestAnswer, ageSeconds = 0, over: Partial<AnswerSlot> = {}, generation = 1): LaidAnswer {
    const { slot, name, tail } = layOut(
      answer,
      process.hrtime.bigint() - BigInt(Math.round(ageSeconds * 1e9)),
    );
    const large = name.length > SMALL_NAME_BYTES || tail.length > SMALL_TAIL_BYTES;
    const bytes = new Uint8Array(partSpec(large ? 'large' : 'small', EMPTY).valueSize);
    bytes.set(encodeAnswerSlot({ ...slot, ...over }));
    bytes.set(name, ANSWER_SLOT_SIZE);
    bytes.set(tail, ANSWER_SLOT_SIZE + (large ? LARGE_NAME_BYTES : SMALL_NAME_BYTES));
    const number = this.#slots++;
    this.#maps[large ? 'large' : 'small'].update(u32Bytes(number), bytes);
    const hash = hashKey(name, slot, this.#head);
    this.#place(
      hash & this.#head.setMask,
      BigInt(number) |
        (large ? 1n << BigInt(PLACE_LARGE_BIT) : 0n) |
        (BigInt(generation) << BigInt(PLACE_GENERATION_SHIFT)) |
        (BigInt(hash >>> 16) << BigInt(PLACE_TAG_SHIFT)),
    );
    return { large, slot: number, storedNs: slot.storedNs };
  }

  /** What the programs counted of it, among other things. */
  read({ large, slot }: Pick<LaidAnswer, 'large' | 'slot'>): AnswerSlot {
    const value = this.#maps[large ? 'large' : 'small'].lookup(u32Bytes(slot));
    if (value === undefined) throw new Error('No such slot');
    return decodeAnswerSlot(value);
  }

  /** Nothing is found any more, and slots are given out from the first on. */
  clear(): void {
    this.#slots = 0;
    for (let set = 0; set <= this.#head.setMask; set++) {
      if (this.#places.slice(set * ANSWER_SET_PLACES, (set + 1) * ANSWER_SET_PLACES).every((at) => at === 0n))
        continue;
      this.#places.fill(0n, set * ANSWER_SET_PLACES, (set + 1) * ANSWER_SET_PLACES);
      this.#writeSet(set);
    }
    this.logged();
  }

  logged(): readonly LoggedAnswer[] {
    const found: LoggedAnswer[] = [];
    this.#log.drain(({ bytes }, at, length) => {
      const record = bytes.slice(at, at + length);
      const head = decodeAnswerLog(new DataView(record.buffer));
      const query = record.slice(LOG_HEAD_BYTES, LOG_HEAD_BYTES + head.queryLength);
      found.push({ ...head, query, reply: record.slice(LOG_HEAD_BYTES + head.queryLength) });
    }, 100_000);
    return found;
  }

  close(): void {
    this.#log.close();
    this.#letGo();
  }

  #place(set: number, place: bigint): void {
    const first = set * ANSWER_SET_PLACES;
    const free = this.#places.slice(first, first + ANSWER_SET_PLACES).indexOf(0n);
    if (free < 0) throw new Error('The set is full');
    this.#places[first + free] = place;
    this.#writeSet(set);
  }

  #writeSet(set: number): void {
    const value = new BigUint64Array(
      this.#places.slice(set * ANSWER_SET_PLACES, (set + 1) * ANSWER_SET_PLACES),
    );
    this.#maps.index.update(u32Bytes(set + 1), new Uint8Array(value.buffer));
  }
}

const EMPTY = { sets: 1, smallSlots: 1, largeSlots: 1, logBytes: 0 };

/** RFC 1035 section 3.1. */
export function wireName(labels: readonly string[]): Uint8Array {
  return Uint8Array.from([...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0]);
}

function layOut(
  answer: TestAnswer,
  storedNs: bigint,
): { slot: AnswerSlot; name: Uint8Array; tail: Uint8Array } {
  const { answers, authorities = [], additionals = [], ttlSeconds } = answer;
  const name = wireName(answer.labels.map(asciiLowerCase));
  const records = [...answers, ...authorities, ...additionals].map((record) =>
    recordBytes(record, ttlSeconds),
  );
  const tail = Uint8Array.from(records.flat());
  const starts = records.map((_, i) => records.slice(0, i).reduce((sum, { length }) => sum + length, 0));
  const owners = [...answers, ...authorities, ...additionals].map(({ owner }) => owner?.length ?? 2);
  const ttlPlaces = starts.map((start, i) => start + (owners[i] ?? 0) + 4);
  const first = runStart(answer);
  const run = {
    runStart: starts[first] ?? 0,
    runStride: records[first]?.length ?? 0,
    runCount: answers.length - first,
  };
  const until = answer.untilSeconds ?? ttlSeconds;
  const slot: AnswerSlot = {
    generation: 1,
    type: answer.type,
    view: answer.view,
    keyBits:
      (answer.dnssecOk === true ? ANSWER_DNSSEC_OK : 0) |
      (answer.checkingDisabled === true ? ANSWER_CHECKING_DISABLED : 0),
    flags:
      (answer.keepTtl === true ? ANSWER_KEEP_TTL : 0) |
      (answer.rotate === true ? ANSWER_ROTATE : 0) |
      (answer.logged === true ? ANSWER_LOGGED : 0),
    headerBits:
      (answer.rcode ?? 0) |
      (answer.recursionAvailable === true ? 0x80 : 0) |
      (answer.authenticData === true ? 0x20 : 0),
    nameLength: name.length,
    answers: answers.length,
    authorities: authorities.length,
    additionals: additionals.length,
    tailLength: tail.length,
    storedNs,
    untilNs: storedNs + BigInt(Math.round(until * 1e9)),
    ttlSeconds,
    limitBytes: answer.limitBytes ?? 0,
    tailSum: littleEndianSum(tail),
    ...(answer.rotate === true ? run : { runStart: 0, runStride: 0, runCount: 0 }),
    ttlCount: ttlPlaces.length,
    ttlEven: ttlPlaces.filter((at) => at % 2 === 0).length,
    ttlPlaces,
    hits: [],
    cookieBytes: 0,
    used: 0,
  };
  return { slot, name, tail };
}

function littleEndianSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

function hashKey(
  name: Uint8Array,
  { type, view, keyBits }: AnswerSlot,
  { seed, multiplier }: AnswerHead,
): number {
  const padded = new Uint8Array(Math.ceil(name.length / 4) * 4);
  padded.set(name);
  const words = new DataView(padded.buffer);
  let hash = seed;
  for (let at = 0; at < padded.length; at += 4) {
    hash = Math.imul(hash ^ words.getUint32(at, true), multiplier) >>> 0;
    hash = (hash ^ (hash >>> 15)) >>> 0;
  }
  hash = Math.imul(hash ^ (type | 0x10000), multiplier) >>> 0;
  hash ^= hash >>> 13;
  hash = Math.imul(hash ^ (view | (keyBits << 16)), multiplier) >>> 0;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x7feb352d) >>> 0;
  return (hash ^ (hash >>> 15)) >>> 0;
}
