/** Keys, hashes and type bitmaps in record data: base64, hexadecimal, base32hex. */
import { parseType, typeName } from '../../dns/codes.ts';
import { bytesLeft, readBytes, readCharacterString, readU8 } from '../../dns/reader.ts';
import { refuseToken, takeJoined, takeToken, tokensLeft } from '../token-cursor.ts';
import { type Field, NO_BYTES } from './field.ts';
import { readRest } from './texts.ts';

const BASE32HEX = '0123456789ABCDEFGHIJKLMNOPQRSTUV';

/** Everything that is left, blanks allowed between. */
export const base64: Field = {
  parse(cursor) {
    const token = takeJoined(cursor);
    const bytes = Uint8Array.from(Buffer.from(token.text, 'base64'));
    if (token.text !== '' && Buffer.from(bytes).toString('base64') === token.text) return bytes;
    refuseToken(cursor, token, { what: 'base64 is expected' });
    return NO_BYTES;
  },
  format: (reader) => Buffer.from(readRest(reader)).toString('base64'),
};

/** Everything that is left, blanks allowed between. */
export const hex: Field = {
  parse(cursor) {
    const token = takeJoined(cursor);
    const bytes = parseHex(token.text);
    if (bytes === undefined || bytes.length === 0)
      refuseToken(cursor, token, { what: 'hexadecimal is expected' });
    return bytes ?? NO_BYTES;
  },
  format: (reader) => formatHex(readRest(reader)),
};

/** NSEC3's salt: a length byte in front, `-` for none (RFC 5155 section 3.3). */
export const salt: Field = {
  parse(cursor) {
    const token = takeToken(cursor, 'a salt');
    const bytes = token.text === '-' ? NO_BYTES : parseHex(token.text);
    if (bytes !== undefined && bytes.length <= 255) return Uint8Array.of(bytes.length, ...bytes);
    refuseToken(cursor, token, { what: 'a salt in hexadecimal is expected' });
    return NO_BYTES;
  },
  format: (reader) => formatHex(readCharacterString(reader)) || '-',
};

/** NSEC3's next owner: a length byte in front, base32hex without padding (RFC 5155 section 3.3). */
export const ownerHash: Field = {
  parse(cursor) {
    const token = takeToken(cursor, 'a hash');
    const bytes = parseBase32Hex(token.text);
    if (bytes !== undefined && bytes.length > 0 && bytes.length <= 255) {
      return Uint8Array.of(bytes.length, ...bytes);
    }
    refuseToken(cursor, token, { what: 'a hash in base32hex is expected' });
    return NO_BYTES;
  },
  format: (reader) => formatBase32Hex(readCharacterString(reader)),
};

/** The types at a name (RFC 4034 section 4.1.2); all words that are left. */
export const typeBitmap: Field = {
  parse(cursor) {
    const windows = new Map<number, Uint8Array>();
    while (tokensLeft(cursor) > 0) {
      const token = takeToken(cursor, 'a record type');
      const type = parseType(token.text);
      if (type === undefined) refuseToken(cursor, token, { what: 'a record type is expected' });
      else setBit(windows, type);
    }
    const blocks = [...windows].sort(([a], [b]) => a - b).map(([window, bits]) => windowBytes(window, bits));
    return Uint8Array.from(Buffer.concat(blocks));
  },
  format(reader) {
    const types: string[] = [];
    while (bytesLeft(reader) > 0) {
      const window = readU8(reader);
      const bits = readBytes(reader, readU8(reader));
      bits.forEach((byte, i) => {
        for (let bit = 0; bit < 8; bit++) {
          if ((byte & (0x80 >> bit)) !== 0) types.push(typeName(window * 256 + i * 8 + bit));
        }
      });
    }
    return types.join(' ');
  },
};

function setBit(windows: Map<number, Uint8Array>, type: number): void {
  const bits = windows.get(type >> 8) ?? new Uint8Array(32);
  const at = (type & 0xff) >> 3;
  bits[at] = (bits[at] ?? 0) | (0x80 >> (type & 7));
  windows.set(type >> 8, bits);
}

function windowBytes(window: number, bits: Uint8Array): Uint8Array {
  const length = bits.findLastIndex((byte) => byte !== 0) + 1;
  return Uint8Array.of(window, length, ...bits.subarray(0, length));
}

/** Undefined when it is not pairs of hexadecimal digits. */
export function parseHex(text: string): Uint8Array | undefined {
  return /^(?:[0-9a-f]{2})*$/i.test(text) ? Uint8Array.from(Buffer.from(text, 'hex')) : undefined;
}

export function formatHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

function parseBase32Hex(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  let value = 0;
  let bits = 0;
  for (const char of text.toUpperCase()) {
    const digit = BASE32HEX.indexOf(char);
    if (digit < 0) return undefined;
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return Uint8Array.from(bytes);
}

function formatBase32Hex(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? [])
    .map((group) => BASE32HEX.charAt(Number.parseInt(group.padEnd(5, '0'), 2)))
    .join('');
}
