/** Names, addresses and character-strings in record data. */

import { nameBytes } from '../../dns/name.ts';
import { bytesLeft, type Reader, readBytes, readCharacterString, readName } from '../../dns/reader.ts';
import { encodeName } from '../../dns/writer.ts';
import { ipBytes, ipFamily, ipFromBytes, parseIp } from '../../net/ip.ts';
import { escapeText, formatName, unescapeText, zoneName } from '../escapes.ts';
import { refuseToken, type TokenCursor, takeToken, tokensLeft } from '../token-cursor.ts';
import { type Field, NO_BYTES } from './field.ts';

/** RFC 1035 section 3.3: one length byte. */
const MAX_STRING_BYTES = 255;

export const domainName: Field = {
  parse(cursor) {
    const token = takeToken(cursor, 'a name');
    const name = token.quoted ? undefined : zoneName(token.text, cursor.origin);
    if (name !== undefined) return encodeName(name, nameBytes(name));
    refuseToken(cursor, token, { code: 'ZONE_NAME', what: 'a name is expected' });
    return NO_BYTES;
  },
  format: (reader) => formatName(readName(reader)),
};

export const ipv4: Field = address(4);
export const ipv6: Field = address(6);

function address(family: 4 | 6): Field {
  return {
    parse(cursor) {
      const token = takeToken(cursor, 'an address');
      const bytes = addressBytes(token.text, family);
      if (bytes === undefined) refuseToken(cursor, token, { what: `an IPv${family} address is expected` });
      return bytes ?? NO_BYTES;
    },
    format: (reader) => formatAddress(readBytes(reader, family === 4 ? 4 : 16)),
  };
}

/** Undefined for addresses of the other family. `::ffff:192.0.2.1` stays sixteen bytes. */
export function addressBytes(text: string, family: 4 | 6): Uint8Array | undefined {
  const ip = parseIp(text);
  if (ip === undefined || (family === 4 && text.includes(':')) || (family === 6 && !text.includes(':'))) {
    return undefined;
  }
  const bytes = ipBytes(ip);
  if (family === 4 || ipFamily(ip) === 6) return bytes;
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes);
}

export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length !== 4 && bytes.length !== 16) return '';
  const text = ipFromBytes(bytes);
  return bytes.length === 16 && !text.includes(':') ? `::ffff:${text}` : text;
}

/** One character-string, quoted or not. */
export const text: Field = {
  parse(cursor) {
    const bytes = takeBytes(cursor);
    if (bytes.length <= MAX_STRING_BYTES) return Uint8Array.of(bytes.length, ...bytes);
    const token = cursor.tokens[cursor.next - 1];
    if (token)
      refuseToken(cursor, token, { what: `a text of at most ${MAX_STRING_BYTES} bytes is expected` });
    return NO_BYTES;
  },
  format: (reader) => `"${escapeText(readCharacterString(reader))}"`,
};

/** One or more; a longer one is split into several, as people write keys. */
export const texts: Field = {
  parse(cursor) {
    const strings: Uint8Array[] = [];
    do {
      const bytes = takeBytes(cursor);
      for (let at = 0; at === 0 || at < bytes.length; at += MAX_STRING_BYTES) {
        const piece = bytes.subarray(at, at + MAX_STRING_BYTES);
        strings.push(Uint8Array.of(piece.length), piece);
      }
    } while (tokensLeft(cursor) > 0);
    return Uint8Array.from(Buffer.concat(strings));
  },
  format(reader) {
    const strings: string[] = [];
    do strings.push(text.format(reader));
    while (bytesLeft(reader) > 0);
    return strings.join(' ');
  },
};

/** All that is left as one text without a length byte: CAA's value (RFC 8659 section 4.1.1) and URI's target. */
export const longText: Field = {
  parse: takeBytes,
  format: (reader) => `"${escapeText(readRest(reader))}"`,
};

/** CAA's tag: a length byte, then letters and digits, never quoted (RFC 8659 section 4.1.1). */
export const tag: Field = {
  parse(cursor) {
    const token = takeToken(cursor, 'a tag');
    if (/^[a-z0-9]{1,255}$/i.test(token.text)) {
      return Uint8Array.of(token.text.length, ...new TextEncoder().encode(token.text));
    }
    refuseToken(cursor, token, { what: 'a tag of letters and digits is expected' });
    return NO_BYTES;
  },
  format: (reader) => escapeText(readCharacterString(reader)),
};

export function readRest(reader: Reader): Uint8Array {
  return readBytes(reader, bytesLeft(reader));
}

function takeBytes(cursor: TokenCursor): Uint8Array {
  const token = takeToken(cursor, 'a text');
  const bytes = unescapeText(token.text);
  if (bytes === undefined) refuseToken(cursor, token, { what: 'a text with correct escapes is expected' });
  return bytes ?? NO_BYTES;
}
