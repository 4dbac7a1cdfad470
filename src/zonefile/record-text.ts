/**
 * One resource record between text and value (RFC 1035 section 5.1, RFC 3597 section 5). Whatever `formatRecordText`
 * writes, `parseRecordText` reads back as the same record. Text comes from operators and, through templates, from
 * clients: what is wrong is a value with its offset. Deliberately absent: directives, and what one entry of a zone hands
 * to the next.
 */
import { CLASS, className, parseClass, parseType, typeName } from '../dns/codes.ts';
import type { ResourceRecord } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import { expandRdata, rdataLayout } from '../dns/rdata/layout.ts';
import { bytesLeft, readerOf } from '../dns/reader.ts';
import { fail, ok, type Result } from '../fault/result.ts';
import type { ZonefileErrorCode } from './errors.ts';
import { formatName, zoneName } from './escapes.ts';
import { formatHex, parseHex } from './fields/binary.ts';
import { RDATA_FORMATS } from './fields/formats.ts';
import {
  cursorOf,
  refuseToken,
  type TokenCursor,
  takeJoined,
  takeToken,
  tokensLeft,
} from './token-cursor.ts';
import { readEntry, type ZoneToken } from './tokens.ts';
import { parseTtl } from './ttl.ts';

/** RFC 1035 section 3.2.1: a 16-bit length. */
const MAX_RDATA_BYTES = 0xffff;
/** Types of questions and of this protocol's own upkeep, of which no record can be written. */
const UNWRITABLE = new Set(['OPT', 'TKEY', 'TSIG', 'IXFR', 'AXFR', 'MAILB', 'MAILA', 'ANY']);

export interface RecordTextOptions {
  /** What `@` means and relative names end in. Without one they are refused. */
  readonly origin: Name | undefined;
  /** Of records that say none. Without one they are refused. */
  readonly defaultTtlSeconds: number | undefined;
  /** Of records that start with a blank. Without one they are refused. */
  readonly defaultOwner?: Name;
  /** Of records that say none: IN unless told. */
  readonly defaultClass?: number;
}

export interface ParsedEntry {
  readonly record: ResourceRecord;
  /** Whether the record itself says it: later records without one take it over (RFC 1035 section 5.1). */
  readonly ttlStated: boolean;
}

/** Exactly one record; comments and parentheses are fine. Fails with a code of `errors.ts`, an offset and a reason. */
export function parseRecordText(source: string, options: RecordTextOptions): Result<ResourceRecord> {
  let entry = readEntry(source);
  while (entry.ok && entry.tokens.length === 0 && entry.end < source.length)
    entry = readEntry(source, entry.end);
  if (!entry.ok) return entry;
  const parsed = parseRecordEntry(entry, options);
  if (!parsed.ok) return parsed;
  for (let rest = readEntry(source, entry.end); ; rest = readEntry(source, rest.end)) {
    if (!rest.ok) return rest;
    const [extra] = rest.tokens;
    if (extra !== undefined) {
      return fail(
        'ZONE_TEXT' satisfies ZonefileErrorCode,
        extra.offset,
        'one record is expected, not several',
      );
    }
    if (rest.end >= source.length) return ok(parsed.value.record);
  }
}

/** The words of one entry of a zone, which must not be a directive or empty. */
export function parseRecordEntry(
  { tokens, indented }: { readonly tokens: readonly ZoneToken[]; readonly indented: boolean },
  options: RecordTextOptions,
): Result<ParsedEntry> {
  const cursor = cursorOf(tokens, options.origin);
  const name = indented ? options.defaultOwner : takeOwner(cursor);
  if (name === undefined) {
    return (
      cursor.failure ??
      fail('ZONE_NAME' satisfies ZonefileErrorCode, tokens[0]?.offset ?? 0, 'a record has no owner')
    );
  }
  const head = takeHead(cursor);
  const ttlSeconds = head.ttlSeconds ?? options.defaultTtlSeconds;
  const typeToken = takeToken(cursor, 'a record type');
  const type = UNWRITABLE.has(typeToken.text.toUpperCase()) ? undefined : parseType(typeToken.text);
  if (type === undefined)
    refuseToken(cursor, typeToken, { code: 'ZONE_TYPE', what: 'a record type is expected' });
  if (ttlSeconds === undefined)
    refuseToken(cursor, typeToken, { code: 'ZONE_TTL', what: 'a TTL is expected' });
  const rdata = type === undefined || cursor.failure !== undefined ? undefined : takeRdata(cursor, type);
  if (cursor.failure !== undefined) return cursor.failure;
  if (type === undefined || ttlSeconds === undefined || rdata === undefined)
    throw new Error('a failure is not told');
  const record = { name, type, class: head.class ?? options.defaultClass ?? CLASS.IN, ttlSeconds, rdata };
  return ok({ record, ttlStated: head.ttlSeconds !== undefined });
}

/** Name, TTL, class, type and data on one line, names in full. */
export function formatRecordText(record: ResourceRecord): string {
  const { name, type, ttlSeconds } = record;
  const head = `${formatName(name)} ${ttlSeconds} ${className(record.class)} ${typeName(type)}`;
  return `${head} ${formatRdata(type, record.rdata)}`;
}

/** The data alone. In the form of RFC 3597 when the type has no other, or when that would not give the same bytes. */
export function formatRdata(type: number, rdata: Uint8Array): string {
  const format = RDATA_FORMATS.get(type);
  if (format !== undefined) {
    const reader = readerOf(rdata);
    const text = format
      .map((field) => field.format(reader))
      .filter((word) => word !== '')
      .join(' ');
    if (reader.failure === undefined && bytesLeft(reader) === 0 && isTextOf(text, type, rdata)) return text;
  }
  return rdata.length === 0 ? '\\# 0' : `\\# ${rdata.length} ${formatHex(rdata)}`;
}

function isTextOf(text: string, type: number, rdata: Uint8Array): boolean {
  const entry = readEntry(text);
  if (!entry.ok) return false;
  const cursor = cursorOf(entry.tokens, undefined);
  const bytes = takeRdata(cursor, type);
  return cursor.failure === undefined && Buffer.compare(bytes, rdata) === 0;
}

function takeOwner(cursor: TokenCursor): Name | undefined {
  const token = takeToken(cursor, 'a name');
  const name = token.quoted ? undefined : zoneName(token.text, cursor.origin);
  if (name === undefined) refuseToken(cursor, token, { code: 'ZONE_NAME', what: 'a name is expected' });
  return name;
}

/** TTL and class, in either order, each at most once. */
function takeHead(cursor: TokenCursor): { ttlSeconds?: number; class?: number } {
  const head: { ttlSeconds?: number; class?: number } = {};
  for (let i = 0; i < 2; i++) {
    const token = cursor.tokens[cursor.next];
    if (token === undefined || token.quoted) return head;
    const recordClass = parseClass(token.text);
    if (recordClass !== undefined && head.class === undefined) head.class = recordClass;
    else if (/^\d/.test(token.text) && head.ttlSeconds === undefined) {
      const ttl = parseTtl(token.text);
      if (ttl === undefined) refuseToken(cursor, token, { code: 'ZONE_TTL', what: 'a TTL is expected' });
      head.ttlSeconds = ttl ?? 0;
    } else return head;
    cursor.next++;
  }
  return head;
}

function takeRdata(cursor: TokenCursor, type: number): Uint8Array {
  const first = cursor.tokens[cursor.next];
  const format = RDATA_FORMATS.get(type);
  if (format === undefined || (first?.text === '\\#' && !first.quoted)) return takeOpaque(cursor, type);
  const bytes = Uint8Array.from(Buffer.concat(format.map((field) => field.parse(cursor))));
  const extra = cursor.tokens[cursor.next];
  if (extra !== undefined) refuseToken(cursor, extra, { what: 'the data should end here' });
  else if (bytes.length > MAX_RDATA_BYTES && first !== undefined) {
    refuseToken(cursor, first, { what: `at most ${MAX_RDATA_BYTES} bytes of data are expected` });
  }
  return bytes;
}

/** `\# 4 0a000001` (RFC 3597 section 5). */
function takeOpaque(cursor: TokenCursor, type: number): Uint8Array {
  const mark = takeToken(cursor, '\\#');
  if (mark.text !== '\\#')
    refuseToken(cursor, mark, { what: '\\# and the data in hexadecimal are expected' });
  const length = takeToken(cursor, 'a length');
  const data = tokensLeft(cursor) > 0 ? takeJoined(cursor) : { ...length, text: '' };
  const bytes = parseHex(data.text);
  if (bytes === undefined || !/^\d{1,5}$/.test(length.text) || bytes.length !== Number(length.text)) {
    refuseToken(cursor, length, { what: 'as many bytes in hexadecimal as announced are expected' });
  } else if (!hasItsShape(type, bytes)) {
    refuseToken(cursor, length, { what: `data of type ${typeName(type)} is expected` });
  }
  return bytes ?? new Uint8Array(0);
}

/** The wire encoder reads names inside data again: they must be there, and whole. Others may hold anything. */
function hasItsShape(type: number, rdata: Uint8Array): boolean {
  if (rdata.length === 0) return true;
  const layout = rdataLayout(type);
  if (layout === undefined) return (FIXED.get(type) ?? rdata.length) === rdata.length;
  const reader = readerOf(rdata);
  const expanded = expandRdata(reader, layout);
  return reader.failure === undefined && Buffer.compare(expanded, rdata) === 0;
}

/** Data lengths that cannot be otherwise: A and AAAA. */
const FIXED: ReadonlyMap<number, number> = new Map([
  [1, 4],
  [28, 16],
]);
