/** Messages with other names in them: those that own records, and those inside their data. */
import { TYPE } from '../../dns/codes.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { type Name, nameBytes } from '../../dns/name.ts';
import { rdataLayout } from '../../dns/rdata/layout.ts';
import { bytesLeft, readBytes, readCharacterString, readerOf, readName } from '../../dns/reader.ts';
import { writeBytes, writeName, writerOf, writeU8 } from '../../dns/writer.ts';

/** Types whose first name an answer rule changes; of SOA that is the server, not the mailbox (dns-server 3.15). */
const NAMED_DATA: ReadonlySet<number> = new Set([
  TYPE.CNAME,
  TYPE.DNAME,
  TYPE.SOA,
  TYPE.SRV,
  TYPE.MX,
  TYPE.NAPTR,
  TYPE.NS,
  TYPE.PTR,
]);

/** Every record of all sections through `change`. */
export function mapRecords(message: Message, change: (record: ResourceRecord) => ResourceRecord): Message {
  return {
    ...message,
    answers: message.answers.map(change),
    authorities: message.authorities.map(change),
    additionals: message.additionals.map(change),
  };
}

export function withOwner(record: ResourceRecord, rename: (name: Name) => Name): ResourceRecord {
  const name = rename(record.name);
  return name === record.name ? record : { ...record, name };
}

/** The record itself when its data has no name, or is broken. */
export function withDataName(record: ResourceRecord, rename: (name: Name) => Name): ResourceRecord {
  const layout = NAMED_DATA.has(record.type) ? rdataLayout(record.type) : undefined;
  if (layout === undefined || record.rdata.length === 0) return record;
  const reader = readerOf(record.rdata);
  const lead = readBytes(reader, layout.lead);
  const strings = Array.from({ length: layout.strings }, () => readCharacterString(reader));
  const old = readName(reader);
  const rest = readBytes(reader, bytesLeft(reader));
  const fresh = rename(old);
  if (reader.failure !== undefined || fresh === old) return record;
  const writer = writerOf(record.rdata.length + nameBytes(fresh) - nameBytes(old));
  writeBytes(writer, lead);
  for (const text of strings) {
    writeU8(writer, text.length);
    writeBytes(writer, text);
  }
  writeName(writer, fresh);
  writeBytes(writer, rest);
  return { ...record, rdata: writer.bytes };
}
