/**
 * Master-file text to words (RFC 1035 section 5.1): quotes, parentheses that join lines, comments. One call reads one
 * entry, so that a zone is read record by record. Escapes stay in the words as written, because what they mean depends
 * on the field. Linear in the text; what is wrong is a value with its offset.
 */
import { type Failure, fail } from '../fault/result.ts';
import type { ZonefileErrorCode } from './errors.ts';

export interface ZoneToken {
  /** Without the quotes around it; escapes as written. */
  readonly text: string;
  readonly quoted: boolean;
  /** UTF-16 index into the text that was read. */
  readonly offset: number;
}

/** One entry: a line, or several that parentheses join. */
export interface ZoneEntry {
  /** Empty for blank lines and comments. */
  readonly tokens: readonly ZoneToken[];
  /** The entry starts with a blank: its owner is the one before (RFC 1035 section 5.1). */
  readonly indented: boolean;
  /** Where the next entry starts; the text's length at its end. */
  readonly end: number;
}

interface Scan {
  readonly text: string;
  at: number;
  depth: number;
  readonly tokens: ZoneToken[];
}

/** Where a word may end, and where a quote may; a backslash takes the character behind it along, a line break too. */
const WORD_STOP = /[\s"();\\]/g;
const QUOTE_STOP = /["\\]/g;

/** Reads the entry that starts at `start`. */
export function readEntry(text: string, start = 0): ({ ok: true } & ZoneEntry) | ({ ok: false } & Failure) {
  const scan: Scan = { text, at: start, depth: 0, tokens: [] };
  const indented = /[ \t]/.test(text.charAt(start));
  while (scan.at < text.length) {
    const char = text.charAt(scan.at);
    if (char === '\n' && scan.depth === 0) break;
    const failure = readPiece(scan, char);
    if (failure !== undefined) return failure;
  }
  if (scan.depth > 0) return wrong(text.length, "a '(' is not closed");
  return { ok: true, tokens: scan.tokens, indented, end: Math.min(scan.at + 1, text.length) };
}

function readPiece(scan: Scan, char: string): ({ ok: false } & Failure) | undefined {
  const start = scan.at;
  if (char === ';') {
    const lineEnd = scan.text.indexOf('\n', start);
    scan.at = lineEnd < 0 ? scan.text.length : lineEnd;
    return undefined;
  }
  if (char === '(' || char === ')') {
    scan.depth += char === '(' ? 1 : -1;
    scan.at++;
    return scan.depth < 0 ? wrong(start, "a ')' closes nothing") : undefined;
  }
  if (char === '"') {
    const text = takeQuoted(scan);
    if (text === undefined) return wrong(start, 'a quote is not closed');
    scan.tokens.push({ text, quoted: true, offset: start });
    return undefined;
  }
  if (/\s/.test(char)) {
    scan.at++;
    return undefined;
  }
  return readWord(scan);
}

function readWord(scan: Scan): ({ ok: false } & Failure) | undefined {
  const { text, at: start } = scan;
  scan.at = stopOf(WORD_STOP, text, start);
  if (scan.at > text.length) return wrong(text.length - 1, 'a backslash escapes nothing');
  const word = text.slice(start, scan.at);
  // `alpn="h2,h3"` is one word (RFC 9460 section 2.1).
  const value = word.endsWith('=') && text.charAt(scan.at) === '"' ? takeQuoted(scan) : undefined;
  scan.tokens.push({ text: word + (value ?? ''), quoted: false, offset: start });
  return undefined;
}

/** What stands between the quote here and the next; undefined when there is none. */
function takeQuoted(scan: Scan): string | undefined {
  const start = scan.at + 1;
  const end = stopOf(QUOTE_STOP, scan.text, start);
  if (end >= scan.text.length) return undefined;
  scan.at = end + 1;
  return scan.text.slice(start, end);
}

/** Index of the first stop that no backslash escapes; the text's length when there is none, beyond it after a lone one. */
function stopOf(stops: RegExp, text: string, start: number): number {
  stops.lastIndex = start;
  for (let found = stops.exec(text); found !== null; found = stops.exec(text)) {
    if (found[0] !== '\\') return found.index;
    stops.lastIndex = found.index + 2;
    if (stops.lastIndex > text.length) return text.length + 1;
  }
  return text.length;
}

function wrong(offset: number, reason: string): { ok: false } & Failure {
  return fail('ZONE_TEXT' satisfies ZonefileErrorCode, offset, reason);
}
