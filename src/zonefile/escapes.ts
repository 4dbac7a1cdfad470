/** Character-strings and names between text with escapes and bytes (RFC 1035 section 5.1, RFC 4343 section 2.1). */
import { MAX_NAME_BYTES, type Name, parseName } from '../dns/name.ts';

/** Every byte of a name written as `\\DDD`. */
const MAX_NAME_TEXT = 4 * MAX_NAME_BYTES;
const ESCAPE = /\\(\d{3})|\\(\D)|(\\)|([^\\]+)/gsu;

/** Undefined when a backslash stands alone, or in front of a number beyond 255. Text beyond ASCII is UTF-8. */
export function unescapeText(text: string): Uint8Array | undefined {
  if (!text.includes('\\')) return new TextEncoder().encode(text);
  const pieces: Uint8Array[] = [];
  for (const [, code, char, bare, plain] of text.matchAll(ESCAPE)) {
    if (bare !== undefined || Number(code ?? 0) > 255) return undefined;
    pieces.push(code === undefined ? new TextEncoder().encode(char ?? plain) : Uint8Array.of(Number(code)));
  }
  return Uint8Array.from(Buffer.concat(pieces));
}

/** For inside quotes: a backslash before `"` and `\`, `\DDD` for what is not printable ASCII. */
export function escapeText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => {
    if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
    return byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`;
  }).join('');
}

/** `@` is the origin, a name without the dot at its end is below it. Undefined when it is no name, or has no origin. */
export function zoneName(text: string, origin: Name | undefined): Name | undefined {
  if (text === '@') return origin;
  if (text === '' || text.length > MAX_NAME_TEXT) return undefined;
  if (isAbsolute(text)) return parseName(text);
  if (origin === undefined) return undefined;
  return parseName(origin === '.' ? `${text}.` : `${text}.${origin}`);
}

/** The name with those characters escaped that mean something in a zone file. */
export function formatName(name: Name): string {
  if (!/["();$]/.test(name)) return name;
  return name.replace(/["();$]/g, (char) => `\\${char}`);
}

function isAbsolute(text: string): boolean {
  const backslashes = /(\\*)\.$/.exec(text)?.[1];
  return backslashes !== undefined && backslashes.length % 2 === 0;
}
