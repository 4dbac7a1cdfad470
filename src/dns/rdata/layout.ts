/**
 * Where names stand inside record data, for the types whose names may arrive compressed (RFC 3597 section 4). All other
 * types are opaque bytes. Data is kept uncompressed in memory; only RFC 1035's own types are compressed again.
 */
import { TYPE } from '../codes.ts';
import { type Name, nameBytes } from '../name.ts';
import {
  bytesLeft,
  failReader,
  type Reader,
  readBytes,
  readCharacterString,
  readerOf,
  readName,
} from '../reader.ts';
import { type Writer, writeBytes, writeName, writerOf, writeU8 } from '../writer.ts';

export interface RdataLayout {
  /** Bytes in front. */
  readonly lead: number;
  /** Character-strings behind them. */
  readonly strings: number;
  readonly names: number;
  /** Exact bytes behind the names, or whatever is left. */
  readonly tail: number | 'rest';
  /** May be sent compressed: false for types defined after RFC 1035. */
  readonly compress: boolean;
}

const OLD: RdataLayout = { lead: 0, strings: 0, names: 1, tail: 0, compress: true };
const NEW: RdataLayout = { ...OLD, compress: false };

const LAYOUTS: ReadonlyMap<number, RdataLayout> = new Map([
  [TYPE.NS, OLD],
  [TYPE.MD, OLD],
  [TYPE.MF, OLD],
  [TYPE.CNAME, OLD],
  [TYPE.SOA, { ...OLD, names: 2, tail: 20 }],
  [TYPE.MB, OLD],
  [TYPE.MG, OLD],
  [TYPE.MR, OLD],
  [TYPE.PTR, OLD],
  [TYPE.MINFO, { ...OLD, names: 2 }],
  [TYPE.MX, { ...OLD, lead: 2 }],
  [TYPE.RP, { ...NEW, names: 2 }],
  [TYPE.AFSDB, { ...NEW, lead: 2 }],
  [TYPE.RT, { ...NEW, lead: 2 }],
  [TYPE.SIG, { ...NEW, lead: 18, tail: 'rest' }],
  [TYPE.PX, { ...NEW, lead: 2, names: 2 }],
  [TYPE.NXT, { ...NEW, tail: 'rest' }],
  [TYPE.SRV, { ...NEW, lead: 6 }],
  [TYPE.NAPTR, { ...NEW, lead: 4, strings: 3 }],
  [TYPE.KX, { ...NEW, lead: 2 }],
  [TYPE.DNAME, NEW],
]);

/** Undefined for opaque types. */
export function rdataLayout(type: number): RdataLayout | undefined {
  return LAYOUTS.get(type);
}

/** Reads up to `reader.end` and writes the names out in full; a wrong shape leaves a failure in the reader. */
export function expandRdata(reader: Reader, layout: RdataLayout): Uint8Array {
  const start = reader.offset;
  const lead = readBytes(reader, layout.lead);
  const strings: Uint8Array[] = [];
  for (let i = 0; i < layout.strings; i++) strings.push(readCharacterString(reader));
  const names: Name[] = [];
  for (let i = 0; i < layout.names; i++) names.push(readName(reader));
  const tail = readBytes(reader, layout.tail === 'rest' ? bytesLeft(reader) : layout.tail);
  if (bytesLeft(reader) !== 0) failReader(reader, 'DNS_RDATA', start);
  const writer = writerOf(
    lead.length +
      strings.reduce((sum, text) => sum + 1 + text.length, 0) +
      names.reduce((sum, name) => sum + nameBytes(name), 0) +
      tail.length,
  );
  writeBytes(writer, lead);
  for (const text of strings) {
    writeU8(writer, text.length);
    writeBytes(writer, text);
  }
  for (const name of names) writeName(writer, name);
  writeBytes(writer, tail);
  return writer.bytes;
}

/** Writes uncompressed `rdata` with its names compressed where the type and the writer allow it. */
export function writeRdata(writer: Writer, type: number, rdata: Uint8Array): void {
  const layout = writer.suffixes === undefined ? undefined : LAYOUTS.get(type);
  if (layout === undefined || !layout.compress || rdata.length === 0) {
    writeBytes(writer, rdata);
    return;
  }
  const reader = readerOf(rdata);
  writeBytes(writer, readBytes(reader, layout.lead));
  for (let i = 0; i < layout.names; i++) writeName(writer, readName(reader));
  writeBytes(writer, readBytes(reader, bytesLeft(reader)));
}
