/**
 * The parameters of SVCB and HTTPS (RFC 9460 sections 2.1, 2.2 and appendix A): `alpn="h2,h3" port=8443`. On the wire
 * they stand in ascending order of their keys, once each; what `mandatory` names must be there (section 8).
 */
import { bytesLeft, type Reader, readBytes, readerOf, readU16 } from '../../dns/reader.ts';
import { writeBytes, writerOf, writeU16 } from '../../dns/writer.ts';
import { escapeText, unescapeText } from '../escapes.ts';
import { refuseToken, type TokenCursor, takeToken, tokensLeft } from '../token-cursor.ts';
import type { ZoneToken } from '../tokens.ts';
import { type Field, NO_BYTES } from './field.ts';
import { addressBytes, formatAddress, readRest } from './texts.ts';

/** RFC 9460 section 14.3.2, RFC 9461 (dohpath), RFC 9540 (ohttp). */
const KEYS: readonly string[] = [
  'mandatory',
  'alpn',
  'no-default-alpn',
  'port',
  'ipv4hint',
  'ech',
  'ipv6hint',
  'dohpath',
  'ohttp',
];
const MANDATORY = 0;
const ALPN = 1;
const PORT = 3;
const IPV4_HINT = 4;
const ECH = 5;
const IPV6_HINT = 6;
/** Keys that never have a value: `no-default-alpn` and `ohttp`. */
const FLAGS: ReadonlySet<number> = new Set([2, 8]);

export const serviceParameters: Field = { parse: parseParameters, format: formatParameters };

function parseParameters(cursor: TokenCursor): Uint8Array {
  const values = new Map<number, Uint8Array>();
  while (tokensLeft(cursor) > 0) {
    const token = takeToken(cursor, 'a parameter');
    const equals = token.text.indexOf('=');
    const key = parseKey(equals < 0 ? token.text : token.text.slice(0, equals));
    const value =
      key === undefined ? undefined : parseValue(key, equals < 0 ? undefined : token.text.slice(equals + 1));
    if (key === undefined || value === undefined || values.has(key)) {
      refuseToken(cursor, token, { what: 'a service parameter, once, is expected' });
      return NO_BYTES;
    }
    values.set(key, value);
  }
  checkMandatory(cursor, values);
  const sorted = [...values].sort(([a], [b]) => a - b);
  const writer = writerOf(sorted.reduce((sum, [, value]) => sum + 4 + value.length, 0));
  for (const [key, value] of sorted) {
    writeU16(writer, key);
    writeU16(writer, value.length);
    writeBytes(writer, value);
  }
  return writer.bytes;
}

function checkMandatory(cursor: TokenCursor, values: ReadonlyMap<number, Uint8Array>): void {
  const reader = readerOf(values.get(MANDATORY) ?? NO_BYTES);
  const last: ZoneToken = cursor.tokens.at(-1) ?? { text: '', quoted: false, offset: 0 };
  while (bytesLeft(reader) > 0) {
    const key = readU16(reader);
    if (values.has(key) && key !== MANDATORY) continue;
    refuseToken(cursor, last, { what: `the mandatory parameter ${keyName(key)} is expected` });
  }
}

/** Undefined for a value that the key does not take; no value at all is `undefined` as `text`. */
function parseValue(key: number, text: string | undefined): Uint8Array | undefined {
  if (FLAGS.has(key)) return text === undefined ? NO_BYTES : undefined;
  const isOpaque = key > IPV6_HINT;
  if (text === undefined || text === '') return isOpaque ? NO_BYTES : undefined;
  switch (key) {
    case MANDATORY:
      return joined(text.split(',').map(parseKey).sort(byNumber).map(u16Bytes));
    case ALPN:
      return parseAlpn(text);
    case PORT:
      return /^\d{1,5}$/.test(text) ? u16Bytes(Number(text)) : undefined;
    case IPV4_HINT:
      return joined(text.split(',').map((address) => addressBytes(address, 4)));
    case ECH:
      return parseBase64(text);
    case IPV6_HINT:
      return joined(text.split(',').map((address) => addressBytes(address, 6)));
    default:
      return unescapeText(text);
  }
}

/** Two layers of escapes: the character-string's, then the list's `\,` and `\\` (RFC 9460 appendix A.1). */
function parseAlpn(text: string): Uint8Array | undefined {
  const bytes = unescapeText(text);
  if (bytes === undefined) return undefined;
  const list = Buffer.from(bytes).toString('latin1');
  const items = [...`${list},`.matchAll(/((?:\\[\\,]|[^\\,])*),/gy)];
  if (items.reduce((sum, [all]) => sum + all.length, 0) !== list.length + 1) return undefined;
  return joined(
    items.map(([, item = '']) => {
      const plain = Buffer.from(item.replace(/\\(.)/gs, '$1'), 'latin1');
      return plain.length === 0 || plain.length > 255 ? undefined : Uint8Array.of(plain.length, ...plain);
    }),
  );
}

function parseBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? Uint8Array.from(bytes) : undefined;
}

function formatParameters(reader: Reader): string {
  const words: string[] = [];
  while (bytesLeft(reader) > 0) {
    const key = readU16(reader);
    const value = readBytes(reader, readU16(reader));
    const text = formatValue(key, value);
    words.push(text === '' ? keyName(key) : `${keyName(key)}=${text}`);
  }
  return words.join(' ');
}

function formatValue(key: number, value: Uint8Array): string {
  const reader = readerOf(value);
  switch (key) {
    case MANDATORY:
      return readItems(reader, () => keyName(readU16(reader))).join(',');
    case ALPN:
      return `"${readItems(reader, () => formatAlpn(readBytes(reader, readBytes(reader, 1)[0] ?? 0))).join(',')}"`;
    case PORT:
      return String(readU16(reader));
    case IPV4_HINT:
      return readItems(reader, () => formatAddress(readBytes(reader, 4))).join(',');
    case ECH:
      return Buffer.from(value).toString('base64');
    case IPV6_HINT:
      return readItems(reader, () => formatAddress(readBytes(reader, 16))).join(',');
    default:
      return value.length === 0 ? '' : `"${escapeText(readRest(reader))}"`;
  }
}

function formatAlpn(item: Uint8Array): string {
  const listed = Buffer.from(item).toString('latin1').replace(/[\\,]/g, '\\$&');
  return escapeText(Buffer.from(listed, 'latin1'));
}

function readItems(reader: Reader, readOne: () => string): string[] {
  const items: string[] = [];
  while (bytesLeft(reader) > 0) items.push(readOne());
  return items;
}

function parseKey(text: string): number | undefined {
  const known = KEYS.indexOf(text.toLowerCase());
  if (known >= 0) return known;
  const digits = /^key(0|[1-9]\d{0,4})$/i.exec(text)?.[1];
  return digits !== undefined && Number(digits) < 0xffff ? Number(digits) : undefined;
}

function keyName(key: number): string {
  return KEYS[key] ?? `key${key}`;
}

function byNumber(a: number | undefined, b: number | undefined): number {
  return (a ?? 0) - (b ?? 0);
}

function u16Bytes(value: number | undefined): Uint8Array | undefined {
  if (value === undefined || value > 0xffff) return undefined;
  const writer = writerOf(2);
  writeU16(writer, value);
  return writer.bytes;
}

function joined(pieces: readonly (Uint8Array | undefined)[]): Uint8Array | undefined {
  const whole = pieces.filter((piece) => piece !== undefined);
  return whole.length === pieces.length ? Uint8Array.from(Buffer.concat(whole)) : undefined;
}
