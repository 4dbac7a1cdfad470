/**
 * A `Message` to bytes, uncompressed while it fits and compressed when it does not (dns-server 2.3 item 3). What does
 * not fit even so is dropped record by record from the end, TC is set, and the OPT record stays: without it the client
 * would take the answer for one of a server that has no EDNS.
 */
import { RCODE, TYPE } from './codes.ts';
import { HEADER_BYTES } from './decode-message.ts';
import type { Edns, Flags, Message, Question, ResourceRecord } from './message.ts';
import { nameBytes, ROOT } from './name.ts';
import { writeRdata } from './rdata/layout.ts';
import {
  messageWriter,
  patchU16,
  type Writer,
  writeBytes,
  writeName,
  writeU16,
  writeU32,
  writtenBytes,
} from './writer.ts';

/** What TCP's length prefix can announce (RFC 1035 section 4.2.2). */
export const MAX_MESSAGE_BYTES = 0xffff;
/** Root owner, type, class, TTL and data length. */
const OPT_BYTES = 11;

export interface EncodeOptions {
  /** Bytes, at most and by default 65535; below 512 it may hold no more than header and question. */
  readonly limit?: number;
  /** Compress also when the message fits without; default false. */
  readonly compress?: boolean;
  /** Bytes: compress what would be longer without, even if it fits; by default `limit`. */
  readonly compressAbove?: number;
}

/** An rcode of more than four bits without an OPT record to carry it goes out as SERVFAIL. */
export function encodeMessage(message: Message, options: EncodeOptions = {}): Uint8Array {
  const limit = Math.min(options.limit ?? MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES);
  const bound = lengthBound(message);
  const most = Math.min(limit, options.compressAbove ?? limit);
  const compress = options.compress === true || (bound > most && messageLength(message) > most);
  const writer = messageWriter(bound, { compress });
  writer.offset = HEADER_BYTES;
  for (const question of message.questions) writeQuestion(writer, question);
  const edns = message.edns && fittingEdns(message.edns, limit - writer.offset);
  const room = limit - (edns === undefined ? 0 : ednsLength(edns));
  const answers = writeRecords(writer, message.answers, room);
  const cutAnswers = answers < message.answers.length;
  const authorities = cutAnswers ? 0 : writeRecords(writer, message.authorities, room);
  const cutAuthorities = authorities < message.authorities.length;
  const additionals = cutAnswers || cutAuthorities ? 0 : writeRecords(writer, message.additionals, room);
  const cut = cutAnswers || cutAuthorities || additionals < message.additionals.length;
  if (edns !== undefined) writeOpt(writer, edns, message.rcode);
  patchHeader(writer, message, cut);
  patchU16(writer, 4, message.questions.length);
  patchU16(writer, 6, answers);
  patchU16(writer, 8, authorities);
  patchU16(writer, 10, additionals + (edns === undefined ? 0 : 1));
  return writtenBytes(writer);
}

/** Bytes without compression, OPT included. */
export function messageLength(message: Message): number {
  return lengthWithoutOpt(message) + (message.edns === undefined ? 0 : ednsLength(message.edns));
}

/** Bytes without compression and without the OPT record. */
export function lengthWithoutOpt(message: Message): number {
  let total = HEADER_BYTES;
  for (const question of message.questions) total += nameBytes(question.name) + 4;
  for (const record of message.answers) total += recordLength(record);
  for (const record of message.authorities) total += recordLength(record);
  for (const record of message.additionals) total += recordLength(record);
  return total;
}

/** At least `messageLength`, and cheaper: no escapes are looked for in names. */
function lengthBound(message: Message): number {
  let total = HEADER_BYTES + (message.edns === undefined ? 0 : ednsLength(message.edns));
  for (const question of message.questions) total += question.name.length + 5;
  total += recordsBound(message.answers) + recordsBound(message.authorities);
  return total + recordsBound(message.additionals);
}

function recordsBound(records: readonly ResourceRecord[]): number {
  let total = 0;
  for (const record of records) total += record.name.length + 11 + record.rdata.length;
  return total;
}

function recordLength(record: ResourceRecord): number {
  return nameBytes(record.name) + 10 + record.rdata.length;
}

function ednsLength(edns: Edns): number {
  return edns.options.reduce((sum, option) => sum + 4 + option.data.length, OPT_BYTES);
}

/** A client may ask for 512 bytes and send 600 bytes of padding to echo: then the options go, not the limit. */
function fittingEdns(edns: Edns, room: number): Edns {
  return ednsLength(edns) <= room ? edns : { ...edns, options: [] };
}

function patchHeader(writer: Writer, message: Message, cut: boolean): void {
  const rcode = message.rcode > 0xf && message.edns === undefined ? RCODE.SERVFAIL : message.rcode & 0xf;
  const truncated = cut ? 0x0200 : 0;
  patchU16(writer, 0, message.id);
  patchU16(writer, 2, flagBits(message.flags) | truncated | ((message.opcode & 0xf) << 11) | rcode);
}

function flagBits(flags: Flags): number {
  return (
    (flags.response ? 0x8000 : 0) |
    (flags.authoritative ? 0x0400 : 0) |
    (flags.truncated ? 0x0200 : 0) |
    (flags.recursionDesired ? 0x0100 : 0) |
    (flags.recursionAvailable ? 0x0080 : 0) |
    (flags.zero ? 0x0040 : 0) |
    (flags.authenticData ? 0x0020 : 0) |
    (flags.checkingDisabled ? 0x0010 : 0)
  );
}

function writeQuestion(writer: Writer, question: Question): void {
  writeName(writer, question.name);
  writeU16(writer, question.type);
  writeU16(writer, question.class);
}

/** How many of the records fit up to `room`; the first that does not is taken back and ends the message. */
function writeRecords(writer: Writer, records: readonly ResourceRecord[], room: number): number {
  let count = 0;
  for (const record of records) {
    const start = writer.offset;
    writeRecord(writer, record);
    if (writer.offset > room) {
      writer.offset = start;
      break;
    }
    count++;
  }
  return count;
}

function writeRecord(writer: Writer, record: ResourceRecord): void {
  writeName(writer, record.name);
  writeU16(writer, record.type);
  writeU16(writer, record.class);
  writeU32(writer, record.ttlSeconds);
  writeU16(writer, 0);
  const start = writer.offset;
  writeRdata(writer, record.type, record.rdata);
  patchU16(writer, start - 2, writer.offset - start);
}

function writeOpt(writer: Writer, edns: Edns, rcode: number): void {
  writeName(writer, ROOT);
  writeU16(writer, TYPE.OPT);
  writeU16(writer, edns.udpSize);
  writeU32(
    writer,
    (((rcode >> 4) & 0xff) * 0x100_0000 + (edns.version << 16)) | (edns.dnssecOk ? 0x8000 : 0),
  );
  writeU16(writer, ednsLength(edns) - OPT_BYTES);
  for (const option of edns.options) {
    writeU16(writer, option.code);
    writeU16(writer, option.data.length);
    writeBytes(writer, option.data);
  }
}
