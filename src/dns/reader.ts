/**
 * The only file that reads single bytes of a message. A reader is a cursor that never leaves its bytes: the first read
 * beyond the end leaves a failure in it and every later read gives zeros, so decoders check once, at the end.
 * Compression cannot loop: each pointer must lead before the start of the labels it ends. Nothing here throws.
 */
import { type Failure, fail } from '../fault/result.ts';
import type { DnsErrorCode } from './errors.ts';
import { LABEL_TEXT, MAX_LABEL_BYTES, MAX_NAME_BYTES, type Name, ROOT } from './name.ts';

/** Bytes of a label that stand for themselves in text. */
const IS_PLAIN = Uint8Array.from(LABEL_TEXT, (text) => (text.length === 1 ? 1 : 0));
const DOT = 0x2e;
/**
 * Where the text of a name is put together: adding up a string byte by byte costs five times as much. Holds nothing
 * between two calls. A byte becomes at most four characters.
 */
const TEXT = Buffer.alloc(4 * MAX_NAME_BYTES);

/** A 255-byte name holds at most 127 labels, and no label needs more than one pointer behind it. */
export const MAX_POINTERS = 127;
/** RFC 1035 section 4.1.4: the two high bits of a pointer's first byte. */
const POINTER_BITS = 0xc0;

export interface Reader {
  /** The whole message: pointers lead anywhere into it. */
  readonly bytes: Uint8Array;
  offset: number;
  /** Reads stop here: the end of the message, or of the record data being read. */
  end: number;
  failure: (Failure & { readonly ok: false }) | undefined;
  /** The first name that was read and held no pointer, and where it stands; -1 before. */
  firstName: Name;
  firstNameAt: number;
}

/** The reader keeps `bytes`, which must not change while it lives. */
export function readerOf(bytes: Uint8Array): Reader {
  return { bytes, offset: 0, end: bytes.length, failure: undefined, firstName: ROOT, firstNameAt: -1 };
}

/** Remembers the first failure only: later ones are its consequences. */
export function failReader(reader: Reader, code: DnsErrorCode, offset = reader.offset): void {
  reader.failure ??= fail(code, offset);
}

export function bytesLeft(reader: Reader): number {
  return reader.end - reader.offset;
}

// By index: a DataView for each packet and record would cost more than all their reads.

export function readU8(reader: Reader): number {
  const at = advance(reader, 1);
  return at < 0 ? 0 : (reader.bytes[at] ?? 0);
}

export function readU16(reader: Reader): number {
  const at = advance(reader, 2);
  return at < 0 ? 0 : ((reader.bytes[at] ?? 0) << 8) | (reader.bytes[at + 1] ?? 0);
}

export function readU32(reader: Reader): number {
  const high = readU16(reader);
  return high * 0x1_0000 + readU16(reader);
}

/** A copy, so that a small record never keeps a large packet alive. */
export function readBytes(reader: Reader, count: number): Uint8Array {
  const at = advance(reader, count);
  if (at < 0) return new Uint8Array(0);
  const copy = new Uint8Array(count);
  // By hand: most are the few bytes of an address, and `slice` of a socket's Buffer would be no copy.
  for (let i = 0; i < count; i++) copy[i] = reader.bytes[at + i] ?? 0;
  return copy;
}

/** A character-string (RFC 1035 section 3.3) without its length byte: 0 to 255 bytes. */
export function readCharacterString(reader: Reader): Uint8Array {
  return readBytes(reader, readU8(reader));
}

/** Case as sent. After a failure the name is the root. */
export function readName(reader: Reader): Name {
  if (pointsAtFirstName(reader)) {
    reader.offset += 2;
    return reader.firstName;
  }
  const { bytes } = reader;
  let textEnd = 0;
  let length = 1;
  let at = reader.offset;
  let runStart = at;
  let limit = reader.end;
  let resume = -1;
  let pointers = 0;
  for (;;) {
    const size = at < limit ? (bytes[at++] ?? 0) : -1;
    if (size === 0) break;
    if (size > 0 && size <= MAX_LABEL_BYTES) {
      const stop = at + size;
      length += size + 1;
      if (stop > limit) return badName(reader, 'DNS_CUT', at);
      if (length > MAX_NAME_BYTES) return badName(reader, 'DNS_NAME_LENGTH', at);
      textEnd = writeLabelText(textEnd, bytes, { from: at, to: stop });
      at = stop;
      continue;
    }
    if (size < 0 || at >= limit) return badName(reader, 'DNS_CUT', at);
    if (size < POINTER_BITS) return badName(reader, 'DNS_LABEL', at - 1);
    const target = ((size & ~POINTER_BITS) << 8) | (bytes[at++] ?? 0);
    if (target >= runStart || ++pointers > MAX_POINTERS) return badName(reader, 'DNS_POINTER', at - 2);
    if (resume < 0) resume = at;
    at = target;
    runStart = target;
    limit = bytes.length;
  }
  const name = textEnd === 0 ? ROOT : (TEXT.toString('latin1', 0, textEnd) as Name);
  if (pointers === 0 && reader.firstNameAt < 0) {
    reader.firstName = name;
    reader.firstNameAt = reader.offset;
  }
  reader.offset = resume < 0 ? at : resume;
  return name;
}

/** As most names of an answer do: they are the name asked for, which need not be read again. */
function pointsAtFirstName({ bytes, offset, end, firstNameAt }: Reader): boolean {
  const size = bytes[offset] ?? 0;
  if (size < POINTER_BITS || firstNameAt < 0 || firstNameAt >= offset || offset + 2 > end) return false;
  return (((size & ~POINTER_BITS) << 8) | (bytes[offset + 1] ?? 0)) === firstNameAt;
}

/** Puts the text of one label and its dot at `textEnd`, and returns where the next one goes. */
function writeLabelText(textEnd: number, bytes: Uint8Array, label: { from: number; to: number }): number {
  let end = textEnd;
  for (let at = label.from; at < label.to; at++) {
    const byte = bytes[at] ?? 0;
    if (IS_PLAIN[byte] === 1) TEXT[end++] = byte;
    else end += TEXT.write(LABEL_TEXT[byte] ?? '', end, 'latin1');
  }
  TEXT[end] = DOT;
  return end + 1;
}

function badName(reader: Reader, code: DnsErrorCode, offset: number): Name {
  failReader(reader, code, offset);
  reader.offset = reader.end;
  return ROOT;
}

/** The offset to read `count` bytes at, or -1 when they are not there. */
function advance(reader: Reader, count: number): number {
  const at = reader.offset;
  if (at + count > reader.end) {
    failReader(reader, 'DNS_CUT');
    reader.offset = reader.end;
    return -1;
  }
  reader.offset = at + count;
  return at;
}
