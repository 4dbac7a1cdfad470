/** MX (RFC 1035 section 3.3.9). */
import { CLASS, TYPE } from '../codes.ts';
import type { ResourceRecord } from '../message.ts';
import { type Name, nameBytes } from '../name.ts';
import { bytesLeft, readerOf, readName, readU16 } from '../reader.ts';
import { writeName, writerOf, writeU16 } from '../writer.ts';

export interface Mx {
  /** 0 to 65535, lower is preferred. */
  readonly preference: number;
  readonly exchange: Name;
}

export function mxRecord(name: Name, ttlSeconds: number, mx: Mx): ResourceRecord {
  const writer = writerOf(2 + nameBytes(mx.exchange));
  writeU16(writer, mx.preference);
  writeName(writer, mx.exchange);
  return { name, type: TYPE.MX, class: CLASS.IN, ttlSeconds, rdata: writer.bytes };
}

/** Undefined for other types and for broken data. */
export function readMx(record: ResourceRecord): Mx | undefined {
  if (record.type !== TYPE.MX) return undefined;
  const reader = readerOf(record.rdata);
  const mx = { preference: readU16(reader), exchange: readName(reader) };
  return reader.failure === undefined && bytesLeft(reader) === 0 ? mx : undefined;
}
