/** Go's constants in templates: strings, raw strings, characters, integers, floats. */
import type { TemplateToken } from './lexer.ts';
import type { Value } from './value.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gsu;

/** Undefined when it is none. Characters are integers, as in Go. */
export function parseLiteral({ kind, text }: TemplateToken): Value {
  if (kind === 'string') return text.startsWith('`') ? text.slice(1, -1) : unescapeGo(text.slice(1, -1));
  if (kind === 'number') return parseNumber(text);
  const chars = [...(unescapeGo(text.slice(1, -1)) ?? '')];
  return chars.length === 1 ? BigInt(chars[0]?.codePointAt(0) ?? 0) : undefined;
}

function parseNumber(text: string): bigint | number | undefined {
  const plain = text.replaceAll('_', '').replace(/^\+/, '');
  const sign = plain.startsWith('-') ? -1n : 1n;
  const digits = plain.replace(/^-/, '');
  if (/^(?:\d+|0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+)$/.test(digits)) {
    // A leading zero means octal in Go.
    const octal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
    return sign * BigInt(octal);
  }
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

function unescapeGo(text: string): string | undefined {
  let valid = true;
  const plain = text.replace(
    ESCAPE,
    (_, x?: string, u?: string, long?: string, octal?: string, char = '') => {
      const hex = x ?? u ?? long;
      const code = hex === undefined ? Number.parseInt(octal ?? '', 8) : Number.parseInt(hex, 16);
      if (!Number.isNaN(code) && code <= 0x10ffff) return String.fromCodePoint(code);
      const escaped = ESCAPES[char];
      if (escaped === undefined) valid = false;
      return escaped ?? '';
    },
  );
  return valid ? plain : undefined;
}
