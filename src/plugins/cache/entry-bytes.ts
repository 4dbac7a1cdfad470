/**
 * One entry as bytes, for the process that takes over. Ages are handed over, not times: the other process counts from
 * another beginning. What comes in is checked like a message from a stranger.
 */
import { parseName } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';
import { bytesLeft, readBytes, readerOf, readU8, readU16, readU32 } from '../../dns/reader.ts';
import { replyTo } from '../../dns/reply.ts';
import { writeBytes, writerOf, writeU8, writeU16, writeU32, writtenBytes } from '../../dns/writer.ts';
import type { AnswerKey, Share, WireAnswer } from '../../wirecache/contract.ts';
import { sectionsOf, wireAnswer, withTtl } from './wire-answer.ts';

/** Of the layout below: another one is refused. */
const VERSION = 1;
const FIXED_BYTES = 26;
const MAX_AGE_MS = 0xffff_ffff;
const MAX_TTL_SECONDS = 0x7fff_ffff;

const DENIAL = 1;
const SERVER_ERROR = 2;
const RECURSION_AVAILABLE = 4;
const AUTHENTIC_DATA = 8;
const DNSSEC_OK = 16;
const CHECKING_DISABLED = 32;

export interface HandedEntry {
  readonly key: AnswerKey;
  readonly share: Share;
  readonly answer: WireAnswer;
}

export function encodeEntry({ key, share, answer }: HandedEntry, nowMs: number): Uint8Array {
  const name = Buffer.from(key.name, 'latin1');
  const writer = writerOf(FIXED_BYTES + name.length + answer.records.length);
  writeU8(writer, VERSION);
  writeU8(writer, bitsOf({ key, share, answer }));
  writeU16(writer, answer.rcode);
  writeU16(writer, key.type);
  writeU16(writer, key.class);
  writeU32(writer, answer.ttlSeconds);
  writeU32(writer, Math.min(MAX_AGE_MS, Math.max(0, Math.round(nowMs - answer.storedMs))));
  writeU16(writer, answer.counts.answers);
  writeU16(writer, answer.counts.authorities);
  writeU16(writer, answer.counts.additionals);
  writeU32(writer, name.length);
  writeBytes(writer, name);
  writeBytes(writer, answer.records);
  return writtenBytes(writer);
}

/** Undefined when it is not what `encodeEntry` makes. */
export function decodeEntry(bytes: Uint8Array, nowMs: number): HandedEntry | undefined {
  const reader = readerOf(bytes);
  if (readU8(reader) !== VERSION) return undefined;
  const bits = readU8(reader);
  const rcode = readU16(reader);
  const type = readU16(reader);
  const recordClass = readU16(reader);
  const ttlSeconds = readU32(reader);
  const storedMs = nowMs - readU32(reader);
  const counts = { answers: readU16(reader), authorities: readU16(reader), additionals: readU16(reader) };
  const name = parseName(Buffer.from(readBytes(reader, readU32(reader))).toString('latin1'));
  const records = readBytes(reader, bytesLeft(reader));
  if (reader.failure !== undefined || name === undefined || rcode > 0xf || ttlSeconds > MAX_TTL_SECONDS) {
    return undefined;
  }
  const sections = sectionsOf({ counts, records });
  if (sections === undefined) return undefined;
  // Written anew: these bytes may be well-formed and still not as this process writes them.
  const reply = replyTo(plainQuery({ name, type }), {
    rcode,
    ...withTtl(sections, ttlSeconds),
    recursionAvailable: (bits & RECURSION_AVAILABLE) !== 0,
    authenticData: (bits & AUTHENTIC_DATA) !== 0,
  });
  const answer = wireAnswer(reply, { ttlSeconds, storedMs, serverError: (bits & SERVER_ERROR) !== 0 });
  if (answer === undefined) return undefined;
  const dnssecOk = (bits & DNSSEC_OK) !== 0;
  const checkingDisabled = (bits & CHECKING_DISABLED) !== 0;
  const key = { name, type, class: recordClass, dnssecOk, checkingDisabled };
  return { key, share: (bits & DENIAL) === 0 ? 'success' : 'denial', answer };
}

function bitsOf({ key, share, answer }: HandedEntry): number {
  return (
    (share === 'denial' ? DENIAL : 0) |
    (answer.serverError ? SERVER_ERROR : 0) |
    (answer.recursionAvailable ? RECURSION_AVAILABLE : 0) |
    (answer.authenticData ? AUTHENTIC_DATA : 0) |
    (key.dnssecOk ? DNSSEC_OK : 0) |
    (key.checkingDisabled ? CHECKING_DISABLED : 0)
  );
}
