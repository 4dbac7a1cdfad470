/**
 * The only file that writes single bytes of a message. The caller sizes the buffer beforehand (`messageLength` is an
 * upper bound); writing beyond it is our own bug and throws. With a name table, names become pointers where an earlier
 * equal suffix stands (RFC 1035 section 4.1.4), compared with case so that no spelling is ever changed.
 */
import { MAX_LABEL_BYTES, type Name, ROOT } from './name.ts';

/** A pointer has fourteen bits: suffixes that start behind this cannot be pointed at. */
const MAX_POINTER_TARGET = 0x3fff;
const BACKSLASH = 0x5c;
const DOT = 0x2e;

export interface Writer {
  readonly bytes: Uint8Array;
  offset: number;
  /** Where each name suffix stands; absent means no compression. */
  readonly suffixes: Map<string, number> | undefined;
}

/** Memory of its own, all zeros; names are never compressed. */
export function writerOf(byteLength: number): Writer {
  return { bytes: new Uint8Array(byteLength), offset: 0, suffixes: undefined };
}

/**
 * For a whole message, which lives until it is sent: its bytes come from Node's pool, at a fifth of the cost of memory of
 * its own, and are not zero before they are written. Not for record data, which would keep a whole pool alive.
 */
export function messageWriter(byteLength: number, options: { compress: boolean }): Writer {
  const suffixes = options.compress ? new Map<string, number>() : undefined;
  return { bytes: Buffer.allocUnsafe(byteLength), offset: 0, suffixes };
}

/** What has been written; shares the writer's memory unless it is full. */
export function writtenBytes({ bytes, offset }: Writer): Uint8Array {
  if (offset > bytes.length) throw new Error(`Cannot write ${offset} bytes into ${bytes.length}`);
  return offset === bytes.length ? bytes : bytes.subarray(0, offset);
}

// By index: a DataView of each message's own would cost more than all its writes.

export function writeU8(writer: Writer, value: number): void {
  writer.bytes[writer.offset] = value;
  writer.offset += 1;
}

export function writeU16(writer: Writer, value: number): void {
  patchU16(writer, writer.offset, value);
  writer.offset += 2;
}

export function writeU32(writer: Writer, value: number): void {
  patchU16(writer, writer.offset, value >>> 16);
  patchU16(writer, writer.offset + 2, value);
  writer.offset += 4;
}

export function writeBytes(writer: Writer, bytes: Uint8Array): void {
  // By hand: most are the few bytes of an address, for which the call of `set` costs more than the copying.
  for (let i = 0; i < bytes.length; i++) writer.bytes[writer.offset + i] = bytes[i] ?? 0;
  writer.offset += bytes.length;
}

/** Overwrites a 16-bit field that was written before: counts, flags, lengths. */
export function patchU16(writer: Writer, offset: number, value: number): void {
  writer.bytes[offset] = value >> 8;
  writer.bytes[offset + 1] = value;
}

/** Compressed when the writer compresses. */
export function writeName(writer: Writer, name: Name): void {
  const { suffixes } = writer;
  for (let start = 0; name !== ROOT && start < name.length; ) {
    if (suffixes !== undefined && writePointer(writer, suffixes, name.slice(start))) return;
    start = writeLabel(writer, name, start);
  }
  writeU8(writer, 0);
}

/** Points at an earlier equal suffix if there is one; if not, remembers where this one stands. */
function writePointer(writer: Writer, suffixes: Map<string, number>, suffix: string): boolean {
  const target = suffixes.get(suffix);
  if (target === undefined) {
    if (writer.offset <= MAX_POINTER_TARGET) suffixes.set(suffix, writer.offset);
    return false;
  }
  writeU16(writer, 0xc000 | target);
  return true;
}

/** Writes the label at `start` and returns where the next one starts. */
function writeLabel(writer: Writer, name: Name, start: number): number {
  const { bytes, offset } = writer;
  let at = offset + 1;
  let i = start;
  for (; i < name.length; i++) {
    let code = name.charCodeAt(i);
    if (code === DOT) break;
    if (code === BACKSLASH) {
      const escaped = unescapeAt(name, i);
      code = escaped.byte;
      i += escaped.skip;
    }
    bytes[at++] = code;
  }
  const size = at - offset - 1;
  // Only text that was made a Name by force gets here: a length byte beyond 63 would turn into a pointer.
  if (size < 1 || size > MAX_LABEL_BYTES || at > bytes.length) {
    throw new Error(`Cannot write a label of ${size} bytes into ${bytes.length - offset} bytes`);
  }
  bytes[offset] = size;
  writer.offset = at;
  return i + 1;
}

function unescapeAt(name: Name, backslash: number): { byte: number; skip: number } {
  const code = name.charCodeAt(backslash + 1);
  const isDigit = code >= 0x30 && code <= 0x39;
  return isDigit
    ? { byte: Number(name.slice(backslash + 1, backslash + 4)), skip: 3 }
    : { byte: code, skip: 1 };
}

/** A name alone, uncompressed, at the beginning of `bytes`, which must have room for it. Returns its length. */
export function encodeNameInto(bytes: Uint8Array, name: Name): number {
  const writer = { bytes, offset: 0, suffixes: undefined };
  writeName(writer, name);
  return writer.offset;
}

/** A name alone, uncompressed, for keys and record data. */
export function encodeName(name: Name, byteLength: number): Uint8Array {
  const writer = writerOf(byteLength);
  writeName(writer, name);
  return writtenBytes(writer);
}
