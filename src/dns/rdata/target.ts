/** The types whose data is one name: CNAME, NS, PTR, DNAME (RFC 1035 section 3.3, RFC 6672). */
import { CLASS, TYPE } from '../codes.ts';
import type { ResourceRecord } from '../message.ts';
import { type Name, nameBytes } from '../name.ts';
import { readerOf, readName } from '../reader.ts';
import { encodeName } from '../writer.ts';

/** Bytes in front of the target, by type. */
const TARGET_OFFSETS: ReadonlyMap<number, number> = new Map([
  [TYPE.CNAME, 0],
  [TYPE.NS, 0],
  [TYPE.PTR, 0],
  [TYPE.DNAME, 0],
  [TYPE.MX, 2],
  [TYPE.SRV, 6],
]);

export function cnameRecord(name: Name, ttlSeconds: number, target: Name): ResourceRecord {
  return targetRecord(TYPE.CNAME, { name, ttlSeconds, target });
}

export function nsRecord(name: Name, ttlSeconds: number, target: Name): ResourceRecord {
  return targetRecord(TYPE.NS, { name, ttlSeconds, target });
}

export function ptrRecord(name: Name, ttlSeconds: number, target: Name): ResourceRecord {
  return targetRecord(TYPE.PTR, { name, ttlSeconds, target });
}

export function dnameRecord(name: Name, ttlSeconds: number, target: Name): ResourceRecord {
  return targetRecord(TYPE.DNAME, { name, ttlSeconds, target });
}

/** The name that CNAME, NS, PTR, DNAME, MX and SRV lead to; undefined for other types and for broken data. */
export function recordTarget(record: ResourceRecord): Name | undefined {
  const offset = TARGET_OFFSETS.get(record.type);
  if (offset === undefined || record.rdata.length <= offset) return undefined;
  const reader = readerOf(record.rdata);
  reader.offset = offset;
  const target = readName(reader);
  return reader.failure === undefined ? target : undefined;
}

function targetRecord(type: number, data: { name: Name; ttlSeconds: number; target: Name }): ResourceRecord {
  const rdata = encodeName(data.target, nameBytes(data.target));
  return { name: data.name, type, class: CLASS.IN, ttlSeconds: data.ttlSeconds, rdata };
}
