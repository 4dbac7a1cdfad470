/** SOA (RFC 1035 section 3.3.13). */
import { CLASS, TYPE } from '../codes.ts';
import type { ResourceRecord } from '../message.ts';
import { type Name, nameBytes } from '../name.ts';
import { bytesLeft, readerOf, readName, readU32 } from '../reader.ts';
import { writeName, writerOf, writeU32 } from '../writer.ts';

export interface Soa {
  readonly mname: Name;
  readonly rname: Name;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  /** The negative TTL (RFC 2308 section 4). */
  readonly minimumSeconds: number;
}

export function soaRecord(name: Name, ttlSeconds: number, soa: Soa): ResourceRecord {
  const writer = writerOf(nameBytes(soa.mname) + nameBytes(soa.rname) + 20);
  writeName(writer, soa.mname);
  writeName(writer, soa.rname);
  writeU32(writer, soa.serial);
  writeU32(writer, soa.refreshSeconds);
  writeU32(writer, soa.retrySeconds);
  writeU32(writer, soa.expireSeconds);
  writeU32(writer, soa.minimumSeconds);
  return { name, type: TYPE.SOA, class: CLASS.IN, ttlSeconds, rdata: writer.bytes };
}

/** Undefined for other types and for broken data. */
export function readSoa(record: ResourceRecord): Soa | undefined {
  if (record.type !== TYPE.SOA) return undefined;
  const reader = readerOf(record.rdata);
  const soa = {
    mname: readName(reader),
    rname: readName(reader),
    serial: readU32(reader),
    refreshSeconds: readU32(reader),
    retrySeconds: readU32(reader),
    expireSeconds: readU32(reader),
    minimumSeconds: readU32(reader),
  };
  return reader.failure === undefined && bytesLeft(reader) === 0 ? soa : undefined;
}
