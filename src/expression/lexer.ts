/** Text to tokens. Texts may stand in single or double quotes, with escapes, or in backticks, without. */
import { expressionFault } from './expression-fault.ts';

export interface Token {
  readonly kind: 'number' | 'string' | 'name' | 'sign' | 'end';
  /** As written; of strings what they stand for. */
  readonly text: string;
  /** Characters from 0. */
  readonly at: number;
}

const BLANK = /[ \t\r\n]+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9A-Fa-f]+|(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][+-]?\d+)?/y;
const SIGN = /&&|\|\||==|!=|<=|>=|\*\*|[()[\],?:<>!+\-*/%^]/y;
const RAW = /`([^`]*)`/y;
const QUOTED = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/sy;
const ESCAPE = /\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|(.))/gs;

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** Ends with an `end` token. Throws EXPRESSION_SYNTAX. */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const blank = match(BLANK, text, at);
    if (blank !== undefined) {
      at += blank[0].length;
      continue;
    }
    const { token, length } = tokenAt(text, at);
    tokens.push(token);
    at += length;
  }
  return [...tokens, { kind: 'end', text: '', at: text.length }];
}

function tokenAt(text: string, at: number): { token: Token; length: number } {
  for (const [kind, pattern] of [
    ['name', NAME],
    ['number', NUMBER],
    ['sign', SIGN],
  ] as const) {
    const found = match(pattern, text, at)?.[0];
    if (found !== undefined) return { token: { kind, text: found, at }, length: found.length };
  }
  const string = match(RAW, text, at) ?? match(QUOTED, text, at);
  if (string === undefined) throw unreadable(text, at);
  const [whole, single, double] = string;
  const value = whole.startsWith('`') ? (single ?? '') : resolveEscapes(single ?? double ?? '', at);
  return { token: { kind: 'string', text: value, at }, length: whole.length };
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

function resolveEscapes(body: string, at: number): string {
  return body.replace(ESCAPE, (whole: string, byte?: string, unit?: string, simple?: string) => {
    const hex = byte ?? unit;
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    const character = SIMPLE_ESCAPES[simple ?? ''];
    if (character !== undefined) return character;
    throw expressionFault('EXPRESSION_SYNTAX', `unknown escape ${whole} in a text`, {
      at,
      hint: 'Write a backslash as two, or the text in backticks',
    });
  });
}

function unreadable(text: string, at: number): Error {
  const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (character === "'" || character === '"' || character === '`') {
    return expressionFault('EXPRESSION_SYNTAX', `text without its closing ${character}`, { at });
  }
  const hint = { '=': 'Equality is ==', '&': 'Both are &&', '|': 'Either is ||' }[character];
  return expressionFault('EXPRESSION_SYNTAX', `unexpected ${character}`, { at, hint });
}
