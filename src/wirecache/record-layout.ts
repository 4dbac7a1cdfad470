/**
 * What is noted about the records of an answer when it is stored, so that a reader need not walk through them: where the
 * TTLs stand, and whether the order of addresses may be changed by moving nothing but their data. Pure.
 */
import { TYPE } from '../dns/codes.ts';
import { BITS } from './layout.ts';

/** Type, class, TTL and data length behind an owner's name. */
const FIXED_BYTES = 10;

/** Byte offsets from the first record on. */
interface PlacedRecord {
  readonly start: number;
  readonly ttlAt: number;
  readonly type: number;
  readonly end: number;
}

export interface RecordLayout {
  readonly ttlPlaces: readonly number[];
  /** Of `BITS`: RUN with its first and count, TANGLED, or neither when `loadbalance` has nothing to do. */
  readonly shuffleBits: number;
}

/** Throws when the records are not what `counts` says: they were written by this program. */
export function layoutOfRecords(
  bytes: Uint8Array,
  counts: { answers: number; authorities: number; additionals: number },
): RecordLayout {
  const records: PlacedRecord[] = [];
  let at = 0;
  for (let i = counts.answers + counts.authorities + counts.additionals; i > 0; i--) {
    const record = placeRecord(bytes, at);
    records.push(record);
    at = record.end;
  }
  if (at !== bytes.length)
    throw new Error(`Cannot store ${bytes.length} bytes of records: they end at ${at}`);
  const sections = [counts.answers, counts.authorities, counts.additionals];
  return { ttlPlaces: records.map(({ ttlAt }) => ttlAt), shuffleBits: shuffleBits(bytes, records, sections) };
}

function placeRecord(bytes: Uint8Array, start: number): PlacedRecord {
  let at = start;
  while (byteAt(bytes, at) !== 0) at += 1 + byteAt(bytes, at);
  const ttlAt = at + 5;
  const end = at + 1 + FIXED_BYTES + u16(bytes, at + 9);
  return { start, ttlAt, type: u16(bytes, at + 1), end };
}

/** `sections`: how many records stand in each. */
function shuffleBits(
  bytes: Uint8Array,
  records: readonly PlacedRecord[],
  sections: readonly number[],
): number {
  let bits = 0;
  let first = 0;
  let end = 0;
  for (const count of sections) {
    first = end;
    end += count;
    // One record alone has no order.
    if (count < 2) continue;
    const own = runOf(bytes, records.slice(first, end));
    if (own === undefined || (own.count > 0 && bits !== 0)) return BITS.TANGLED;
    if (own.count === 0) continue;
    const runFirst = first + own.first;
    if (runFirst > BITS.RUN_MASK || own.count > BITS.RUN_MASK) return BITS.TANGLED;
    bits = BITS.RUN | (runFirst << BITS.RUN_FIRST_SHIFT) | (own.count << BITS.RUN_COUNT_SHIFT);
  }
  return bits;
}

/** Count 0: any shuffling leaves the section as it is. Undefined: shuffling it moves more than data. */
function runOf(
  bytes: Uint8Array,
  section: readonly PlacedRecord[],
): { first: number; count: number } | undefined {
  const ranks = section.map(({ type }) => rankOf(type));
  if (ranks.some((rank, i) => rank < (ranks[i - 1] ?? 0))) return undefined;
  const addresses = section.filter((_, i) => ranks[i] === ADDRESS);
  if (ranks.filter((rank) => rank === MAIL).length > 1) return undefined;
  const [model] = addresses;
  if (model === undefined || addresses.length < 2) return { first: 0, count: 0 };
  const head = headOf(bytes, model);
  const alike = addresses.every((record) => head.equals(headOf(bytes, record)));
  return alike ? { first: ranks.indexOf(ADDRESS), count: addresses.length } : undefined;
}

const ADDRESS = 2;
const MAIL = 3;

/** The order that `loadbalance` brings a section into (dns-server 3.10). */
function rankOf(type: number): number {
  if (type === TYPE.CNAME) return 0;
  if (type === TYPE.A || type === TYPE.AAAA) return ADDRESS;
  return type === TYPE.MX ? MAIL : 1;
}

/** All but the data. */
function headOf(bytes: Uint8Array, { start, ttlAt }: PlacedRecord): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, ttlAt + 6 - start);
}

/** Throws at the end of the bytes. */
function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new Error(`Cannot store ${bytes.length} bytes of records: cut off`);
  return byte;
}

function u16(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1);
}
