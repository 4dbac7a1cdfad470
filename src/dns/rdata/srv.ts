/** SRV (RFC 2782). Its target is never compressed. */
import { CLASS, TYPE } from '../codes.ts';
import type { ResourceRecord } from '../message.ts';
import { type Name, nameBytes } from '../name.ts';
import { bytesLeft, readerOf, readName, readU16 } from '../reader.ts';
import { writeName, writerOf, writeU16 } from '../writer.ts';

/** All numbers 0 to 65535. */
export interface Srv {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: Name;
}

export function srvRecord(name: Name, ttlSeconds: number, srv: Srv): ResourceRecord {
  const writer = writerOf(6 + nameBytes(srv.target));
  writeU16(writer, srv.priority);
  writeU16(writer, srv.weight);
  writeU16(writer, srv.port);
  writeName(writer, srv.target);
  return { name, type: TYPE.SRV, class: CLASS.IN, ttlSeconds, rdata: writer.bytes };
}

/** Undefined for other types and for broken data. */
export function readSrv(record: ResourceRecord): Srv | undefined {
  if (record.type !== TYPE.SRV) return undefined;
  const reader = readerOf(record.rdata);
  const srv = {
    priority: readU16(reader),
    weight: readU16(reader),
    port: readU16(reader),
    target: readName(reader),
  };
  return reader.failure === undefined && bytesLeft(reader) === 0 ? srv : undefined;
}
