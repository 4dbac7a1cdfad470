/**
 * Text to tokens (dns-server 1.1). Braces are ordinary words here; only the parser gives them a meaning. Nothing can
 * fail: an unterminated quote ends with the text.
 */
import type { Token } from './ast.ts';

/** Go's `unicode.IsSpace`; unlike `\s` it has U+0085 and lacks the byte order mark. */
const SPACE = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

interface Cursor {
  readonly runes: readonly string[];
  position: number;
  line: number;
  column: number;
}

/** `file` is what the tokens say they come from. */
export function tokenize(text: string, file: string): Token[] {
  const cursor: Cursor = { runes: [...text.replace(/^\uFEFF/, '')], position: 0, line: 1, column: 1 };
  const tokens: Token[] = [];
  for (;;) {
    skipBlank(cursor);
    const { line, column } = cursor;
    const first = cursor.runes[cursor.position];
    if (first === undefined) return tokens;
    const quoted = first === '"';
    const word = quoted ? readQuoted(cursor) : readWord(cursor);
    if (word !== undefined) tokens.push({ text: word, file, line, column, quoted });
  }
}

function step(cursor: Cursor): string {
  const rune = cursor.runes[cursor.position++] ?? '';
  if (rune === '\n') {
    cursor.line++;
    cursor.column = 1;
  } else {
    cursor.column++;
  }
  return rune;
}

/** Blanks and comments; `#` starts one wherever a token could start or go on. */
function skipBlank(cursor: Cursor): void {
  let inComment = false;
  for (;;) {
    const rune = cursor.runes[cursor.position];
    if (rune === undefined) return;
    if (rune === '\n') inComment = false;
    else if (rune === '#') inComment = true;
    else if (!inComment && !SPACE.test(rune)) return;
    step(cursor);
  }
}

/** A carriage return vanishes without ending the word, so that `a\r\n` is `a` and `a\rb` is `ab`. */
function readWord(cursor: Cursor): string {
  let word = '';
  for (;;) {
    const rune = cursor.runes[cursor.position];
    if (rune === undefined || rune === '#') return word;
    if (rune !== '\r' && SPACE.test(rune)) return word;
    step(cursor);
    if (rune !== '\r') word += rune;
  }
}

/** `\"` is a quote; any other backslash stays, together with what follows it. */
function readQuoted(cursor: Cursor): string | undefined {
  let text = '';
  step(cursor);
  while (cursor.position < cursor.runes.length) {
    const rune = step(cursor);
    if (rune === '"') return text;
    if (rune !== '\\') {
      text += rune;
      continue;
    }
    const escaped = step(cursor);
    text += escaped === '"' ? '"' : `\\${escaped}`;
  }
  return text === '' ? undefined : text;
}
