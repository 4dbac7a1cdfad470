/**
 * Template text to pieces: what is copied as it stands, and actions between `{{` and `}}` as words. White space beside
 * the trim markers `{{-` and `-}}` is gone, and so are comments. Grammar: pkg.go.dev/text/template.
 */
import { type Failure, fail } from '../../../fault/result.ts';

/** What a faulty template fails with; `offset` is an index into its text. */
export type TemplateFault = Failure & { readonly ok: false };

export interface TemplateToken {
  readonly kind: 'field' | 'dot' | 'variable' | 'word' | 'string' | 'number' | 'char' | 'symbol';
  /** As written; of a field without its dot. */
  readonly text: string;
  readonly offset: number;
  /** White space stands in front: `$x .Name` is two operands, `$x.Name` one. */
  readonly spaced: boolean;
}

export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly tokens: readonly TemplateToken[]; readonly offset: number };

const TOKEN =
  /(?<space>\s*)(?:\.(?<field>[\p{L}_][\p{L}\p{Nd}_]*)|(?<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))|(?<dot>\.)|(?<variable>\$[\p{L}\p{Nd}_]*)|(?<word>[\p{L}_][\p{L}\p{Nd}_]*)|(?<string>"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`)|(?<char>'(?:[^'\\\n]|\\[^\n])+')|(?<symbol>:=|[=,|()]))/uy;
const KINDS = ['field', 'number', 'dot', 'variable', 'word', 'string', 'char', 'symbol'] as const;
const COMMENT = /\/\*.*?\*\//sy;
const TRIMMED_END = /\s+-\}\}/y;
const PLAIN_END = /\s*\}\}/y;

export function lexTemplate(source: string): { ok: true; pieces: readonly Piece[] } | TemplateFault {
  const pieces: Piece[] = [];
  let trimNext = false;
  for (let at = 0; at < source.length; ) {
    const open = source.indexOf('{{', at);
    const text = source.slice(at, open < 0 ? source.length : open);
    const trimsLeft = open >= 0 && /^-\s/.test(source.slice(open + 2, open + 4));
    const start = trimNext ? text.trimStart() : text;
    const kept = trimsLeft ? start.trimEnd() : start;
    if (kept !== '') pieces.push({ kind: 'text', text: kept });
    if (open < 0) break;
    const action = lexAction(source, open + (trimsLeft ? 3 : 2));
    if (!action.ok) return action;
    if (action.tokens !== undefined) pieces.push({ kind: 'action', tokens: action.tokens, offset: open });
    trimNext = action.trims;
    at = action.end;
  }
  return { ok: true, pieces };
}

interface Action {
  readonly ok: true;
  /** Absent for a comment. */
  readonly tokens?: readonly TemplateToken[];
  readonly end: number;
  readonly trims: boolean;
}

function lexAction(source: string, start: number): Action | TemplateFault {
  const first = start + (/^\s*/.exec(source.slice(start, start + 64))?.[0].length ?? 0);
  if (source.startsWith('/*', first)) return lexComment(source, first);
  const tokens: TemplateToken[] = [];
  for (let at = start; ; ) {
    const end = endOfAction(source, at);
    if (end !== undefined) return { ok: true, tokens, ...end };
    const found = matchAt(TOKEN, source, at);
    if (found?.groups === undefined) return wrongCharacter(source, at);
    const { groups } = found;
    const kind = KINDS.find((name) => groups[name] !== undefined) ?? 'symbol';
    const space = groups.space ?? '';
    tokens.push({ kind, text: groups[kind] ?? '', offset: at + space.length, spaced: space !== '' });
    at += found[0].length;
  }
}

function lexComment(source: string, start: number): Action | TemplateFault {
  const length = matchAt(COMMENT, source, start)?.[0].length;
  const end = length === undefined ? undefined : endOfAction(source, start + length);
  return end === undefined ? wrongTemplate(start, 'unclosed comment') : { ok: true, ...end };
}

function endOfAction(source: string, at: number): { end: number; trims: boolean } | undefined {
  const trimmed = matchAt(TRIMMED_END, source, at);
  if (trimmed !== null) return { end: at + trimmed[0].length, trims: true };
  const plain = matchAt(PLAIN_END, source, at);
  return plain === null ? undefined : { end: at + plain[0].length, trims: false };
}

function wrongCharacter(source: string, at: number): TemplateFault {
  const [char] = source.slice(at).trimStart();
  if (char === undefined) return wrongTemplate(source.length, 'unclosed action');
  if (char === '"' || char === '`' || char === "'") return wrongTemplate(at, 'unterminated quoted string');
  return wrongTemplate(at, `unexpected ${JSON.stringify(char)} in command`);
}

export function wrongTemplate(offset: number, reason: string): TemplateFault {
  return fail('TEMPLATE_SYNTAX', offset, reason);
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
