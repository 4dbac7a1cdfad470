/**
 * A block's raw tokens to directives (dns-server 1.2). Here, as in CoreDNS's plugin API, a body opens on the
 * directive's own line, its lines are option words with arguments, and nothing nests deeper.
 */
import type { Block, Directive, OptionLine, Token } from './ast.ts';
import { argumentFault } from './faults.ts';
import { sameLine } from './token-cursor.ts';

/** All tokens of one occurrence of a directive, its name first, its braces included. */
export type RawDirective = readonly Token[];

export function buildBlock(keys: readonly Token[], raw: readonly RawDirective[]): Block {
  return { keys, directives: raw.map(buildDirective) };
}

function buildDirective(tokens: RawDirective): Directive {
  const [name, ...rest] = tokens;
  if (name === undefined) throw new Error('Cannot build a directive: it has no tokens');
  const open = rest.findIndex((token) => isBrace(token, '{'));
  if (open < 0) return { name, args: rest };
  const brace = rest[open];
  if (brace !== undefined && !sameLine(rest[open - 1] ?? name, brace)) throw argumentFault(brace);
  const close = rest.findIndex((token, i) => i > open && isBrace(token, '}'));
  const nested = rest.slice(open + 1, close).find((token) => isBrace(token, '{'));
  if (nested !== undefined) throw argumentFault(nested);
  const trailing = rest[close + 1];
  if (trailing !== undefined) throw argumentFault(trailing);
  return { name, args: rest.slice(0, open), body: optionLines(rest.slice(open + 1, close)) };
}

function optionLines(tokens: readonly Token[]): OptionLine[] {
  const lines: { name: Token; args: Token[] }[] = [];
  let before: Token | undefined;
  for (const token of tokens) {
    const line = lines.at(-1);
    if (line !== undefined && before !== undefined && sameLine(before, token)) line.args.push(token);
    else lines.push({ name: token, args: [] });
    before = token;
  }
  return lines;
}

/** A quoted brace counts as well: the lexer's quotes are gone when CoreDNS looks. */
export function isBrace(token: Token, brace: '{' | '}'): boolean {
  return token.text === brace;
}
