/**
 * Bytes to a `Message`. Strangers write these bytes: every malformed one is a failure value with its offset, nothing
 * throws, and the work is linear in the input (a record takes at least eleven bytes, a name at most 255 and
 * `MAX_POINTERS` hops). Bytes behind the last announced record are ignored, as CoreDNS does.
 * Whether a well-formed message is one to answer is not decided here but by `server/accept.ts`.
 */
import { ok, type Result } from '../fault/result.ts';
import { TYPE } from './codes.ts';
import type { Edns, EdnsOption, Flags, Message, Question, ResourceRecord } from './message.ts';
import { ROOT } from './name.ts';
import { expandRdata, rdataLayout } from './rdata/layout.ts';
import {
  bytesLeft,
  failReader,
  type Reader,
  readBytes,
  readerOf,
  readName,
  readU16,
  readU32,
} from './reader.ts';

/** RFC 1035 section 4.1.1. */
export const HEADER_BYTES = 12;
/** RFC 2181 section 8: a TTL with the highest bit set counts as zero. */
const MAX_TTL_SECONDS = 0x7fff_ffff;

/** Data lengths that cannot be otherwise; an empty one is allowed to every type (RFC 2136 section 2.4). */
const FIXED_RDATA: ReadonlyMap<number, number> = new Map([
  [TYPE.A, 4],
  [TYPE.AAAA, 16],
]);

/** The twelve bytes in front of every message. */
export interface Header {
  readonly id: number;
  readonly opcode: number;
  /** The low four bits; the others are in the OPT record. */
  readonly rcode: number;
  readonly flags: Flags;
  readonly counts: { readonly qd: number; readonly an: number; readonly ns: number; readonly ar: number };
}

/** Undefined when there are fewer than twelve bytes. */
export function decodeHeader(bytes: Uint8Array): Header | undefined {
  return bytes.length < HEADER_BYTES ? undefined : readHeader(readerOf(bytes));
}

export function decodeMessage(bytes: Uint8Array): Result<Message> {
  const reader = readerOf(bytes);
  return readBody(reader, readHeader(reader));
}

/** What `decodeMessage` gives, for who has looked at the header already. */
export function decodeBody(bytes: Uint8Array, header: Header): Result<Message> {
  const reader = readerOf(bytes);
  reader.offset = HEADER_BYTES;
  return readBody(reader, header);
}

function readBody(reader: Reader, { id, opcode, rcode, flags, counts }: Header): Result<Message> {
  const questions = readMany(reader, counts.qd, readQuestion);
  const answers = readMany(reader, counts.an, readRecord);
  const authorities = readMany(reader, counts.ns, readRecord);
  const last = readAdditionals(reader, counts.ar);
  if (reader.failure !== undefined) return reader.failure;
  const message = {
    id,
    opcode,
    rcode,
    flags,
    questions,
    answers,
    authorities,
    additionals: last.additionals,
  };
  if (last.edns === undefined) return ok(message);
  return ok({ ...message, rcode: (last.rcodeHigh << 4) | rcode, edns: last.edns });
}

function readHeader(reader: Reader): Header {
  const id = readU16(reader);
  const bits = readU16(reader);
  const counts = { qd: readU16(reader), an: readU16(reader), ns: readU16(reader), ar: readU16(reader) };
  return { id, opcode: (bits >> 11) & 0xf, rcode: bits & 0xf, flags: flagsOf(bits), counts };
}

function flagsOf(bits: number): Flags {
  return {
    response: (bits & 0x8000) !== 0,
    authoritative: (bits & 0x0400) !== 0,
    truncated: (bits & 0x0200) !== 0,
    recursionDesired: (bits & 0x0100) !== 0,
    recursionAvailable: (bits & 0x0080) !== 0,
    zero: (bits & 0x0040) !== 0,
    authenticData: (bits & 0x0020) !== 0,
    checkingDisabled: (bits & 0x0010) !== 0,
  };
}

function readMany<T>(reader: Reader, count: number, readOne: (reader: Reader) => T): T[] {
  const items: T[] = [];
  for (let i = 0; i < count && reader.failure === undefined; i++) items.push(readOne(reader));
  return items;
}

function readQuestion(reader: Reader): Question {
  return { name: readName(reader), type: readU16(reader), class: readU16(reader) };
}

function readRecord(reader: Reader): ResourceRecord {
  const name = readName(reader);
  const type = readU16(reader);
  // RFC 6891 section 6.1.1: it stands among the additional records, which look for it before they come here.
  if (type === TYPE.OPT) failReader(reader, 'DNS_OPT');
  const recordClass = readU16(reader);
  const ttl = readU32(reader);
  const rdata = readRdata(reader, type);
  return { name, type, class: recordClass, ttlSeconds: ttl > MAX_TTL_SECONDS ? 0 : ttl, rdata };
}

function readRdata(reader: Reader, type: number): Uint8Array {
  const length = readU16(reader);
  const start = reader.offset;
  const fixed = FIXED_RDATA.get(type);
  if (fixed !== undefined && length !== 0 && length !== fixed) failReader(reader, 'DNS_RDATA');
  const layout = rdataLayout(type);
  if (layout === undefined || length === 0) return readBytes(reader, length);
  if (length > bytesLeft(reader)) {
    failReader(reader, 'DNS_CUT');
    return new Uint8Array(0);
  }
  const messageEnd = reader.end;
  reader.end = start + length;
  const rdata = expandRdata(reader, layout);
  reader.end = messageEnd;
  return rdata;
}

interface Additionals {
  readonly additionals: readonly ResourceRecord[];
  readonly edns?: Edns;
  /** The upper eight bits of the response code. */
  readonly rcodeHigh: number;
}

function readAdditionals(reader: Reader, count: number): Additionals {
  const additionals: ResourceRecord[] = [];
  let found: { edns: Edns; rcodeHigh: number } | undefined;
  for (let i = 0; i < count && reader.failure === undefined; i++) {
    const start = reader.offset;
    const name = readName(reader);
    const type = readU16(reader);
    if (type !== TYPE.OPT) {
      reader.offset = start;
      additionals.push(readRecord(reader));
      continue;
    }
    if (found !== undefined || name !== ROOT) failReader(reader, 'DNS_OPT', start);
    found = readOpt(reader);
  }
  return { additionals, rcodeHigh: found?.rcodeHigh ?? 0, ...(found && { edns: found.edns }) };
}

/** RFC 6891 section 6.1.2: the class is the size, the TTL holds the upper rcode bits, the version and the flags. */
function readOpt(reader: Reader): { edns: Edns; rcodeHigh: number } {
  const udpSize = readU16(reader);
  const bits = readU32(reader);
  const stop = readU16(reader) + reader.offset;
  if (stop > reader.end) failReader(reader, 'DNS_CUT');
  const options: EdnsOption[] = [];
  while (reader.offset < stop && reader.failure === undefined) {
    const code = readU16(reader);
    options.push({ code, data: readBytes(reader, readU16(reader)) });
  }
  if (reader.offset > stop) failReader(reader, 'DNS_OPT', stop);
  const edns = { version: (bits >>> 16) & 0xff, udpSize, dnssecOk: (bits & 0x8000) !== 0, options };
  return { edns, rcodeHigh: bits >>> 24 };
}
