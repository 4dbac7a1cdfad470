/**
 * LOC (RFC 1876): `52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m`. Angles are thousandths of a second of arc
 * from 2^31, altitude is centimetres above 100 km below the reference, sizes are a digit and a power of ten in
 * centimetres.
 */
import { type Reader, readU8, readU32 } from '../../dns/reader.ts';
import { writerOf, writeU8, writeU32 } from '../../dns/writer.ts';
import { refuseToken, type TokenCursor, takeToken, tokensLeft } from '../token-cursor.ts';
import type { Field } from './field.ts';

const EQUATOR = 2 ** 31;
const ALTITUDE_BASE_CM = 10_000_000;
const MS_PER_DEGREE = 3_600_000;
/** Size, horizontal and vertical precision when they are not written: 1 m, 10 km, 10 m. */
const DEFAULT_SIZES_CM: readonly number[] = [100, 1_000_000, 1000];

export const location: Field = { parse: parseLocation, format: formatLocation };

function parseLocation(cursor: TokenCursor): Uint8Array {
  const latitude = parseAngle(cursor, { positive: 'N', negative: 'S', most: 90 });
  const longitude = parseAngle(cursor, { positive: 'E', negative: 'W', most: 180 });
  const altitude = parseMetres(cursor, { least: -100_000, most: 42_849_672.95 });
  const sizes = DEFAULT_SIZES_CM.map((size) =>
    tokensLeft(cursor) === 0 ? size : parseMetres(cursor, { least: 0, most: 90_000_000 }),
  );
  const writer = writerOf(16);
  writeU8(writer, 0);
  for (const size of sizes) writeU8(writer, packSize(size));
  writeU32(writer, latitude);
  writeU32(writer, longitude);
  writeU32(writer, altitude + ALTITUDE_BASE_CM);
  return writer.bytes;
}

function parseAngle(
  cursor: TokenCursor,
  { positive, negative, most }: { positive: string; negative: string; most: number },
): number {
  let milliseconds = 0;
  for (const unit of [MS_PER_DEGREE, 60_000, 1000]) {
    const token = takeToken(cursor, 'an angle');
    const word = token.text.toUpperCase();
    if (unit < MS_PER_DEGREE && (word === positive || word === negative)) {
      cursor.next--;
      break;
    }
    const limit = unit === MS_PER_DEGREE ? most + 1 : 60;
    const shape = unit === 1000 ? /^\d+(\.\d{1,3})?$/ : /^\d+$/;
    if (!shape.test(word) || Number(word) >= limit)
      refuseToken(cursor, token, { what: 'an angle is expected' });
    milliseconds += Math.round(Number(word) * unit);
  }
  const token = takeToken(cursor, 'a direction');
  const word = token.text.toUpperCase();
  const isFar = milliseconds > most * MS_PER_DEGREE;
  if ((word !== positive && word !== negative) || isFar) {
    refuseToken(cursor, token, {
      what: `${positive} or ${negative} behind at most ${most} degrees is expected`,
    });
  }
  return word === negative ? EQUATOR - milliseconds : EQUATOR + milliseconds;
}

/** In centimetres. */
function parseMetres(cursor: TokenCursor, { least, most }: { least: number; most: number }): number {
  const token = takeToken(cursor, 'a length');
  const metres = /^(-?\d+(?:\.\d{1,2})?)m?$/i.exec(token.text)?.[1];
  if (metres !== undefined && Number(metres) >= least && Number(metres) <= most) {
    return Math.round(Number(metres) * 100);
  }
  refuseToken(cursor, token, { what: 'a length in metres is expected' });
  return 0;
}

/** Rounded down to one digit, as RFC 1876 section 2 packs them. */
function packSize(centimetres: number): number {
  const digits = String(centimetres);
  return (Number(digits.charAt(0)) << 4) | (digits.length - 1);
}

function formatLocation(reader: Reader): string {
  const version = readU8(reader);
  const sizes = [readU8(reader), readU8(reader), readU8(reader)].map(formatSize);
  const latitude = formatAngle(readU32(reader) - EQUATOR, 'NS');
  const longitude = formatAngle(readU32(reader) - EQUATOR, 'EW');
  const altitude = ((readU32(reader) - ALTITUDE_BASE_CM) / 100).toFixed(2);
  // Other versions mean something else; no text stands for them.
  return version === 0 ? `${latitude} ${longitude} ${altitude}m ${sizes.join(' ')}` : '';
}

function formatAngle(value: number, directions: string): string {
  const size = Math.abs(value);
  const degrees = Math.floor(size / MS_PER_DEGREE);
  const minutes = Math.floor((size % MS_PER_DEGREE) / 60_000);
  const seconds = ((size % 60_000) / 1000).toFixed(3);
  return `${degrees} ${minutes} ${seconds} ${directions.charAt(value < 0 ? 1 : 0)}`;
}

function formatSize(packed: number): string {
  return `${(((packed >> 4) * 10 ** (packed & 0xf)) / 100).toFixed(2)}m`;
}
