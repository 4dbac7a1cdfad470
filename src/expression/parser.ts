/**
 * Tokens to a tree. Operators bind as in the language that CoreDNS's `view` uses (expr-lang): `or`, `and`, comparisons
 * and word operators, sums, `not`, products, signs, powers; `? :` binds least. Nesting has a limit, so that no expression
 * can exhaust the stack.
 */
import type { BinaryOperator, Node } from './ast.ts';
import { expressionFault } from './expression-fault.ts';
import { type Token, tokenize } from './lexer.ts';

/** Characters. CoreDNS has no limit; nobody writes more by hand. */
const MAX_LENGTH = 10_000;
const MAX_DEPTH = 100;
/** A chain like `a || b || c` is as deep as it is long once it is a tree. */
const MAX_OPERATORS = 1000;

interface Binding {
  readonly operator: BinaryOperator;
  readonly power: number;
}

const BINARY: ReadonlyMap<string, Binding> = new Map([
  ...bindings(10, { or: 'or', '||': 'or' }),
  ...bindings(15, { and: 'and', '&&': 'and' }),
  ...bindings(20, { '==': '==', '!=': '!=', '<': '<', '<=': '<=', '>': '>', '>=': '>=' }),
  ...bindings(20, { in: 'in', matches: 'matches', contains: 'contains' }),
  ...bindings(20, { startsWith: 'startsWith', endsWith: 'endsWith' }),
  ...bindings(30, { '+': '+', '-': '-' }),
  ...bindings(60, { '*': '*', '/': '/', '%': '%' }),
  ...bindings(100, { '**': '**', '^': '**' }),
]);
const NOT_POWER = 50;
const SIGN_POWER = 90;
/** May have `not` in front. */
const WORD_OPERATORS: readonly string[] = ['in', 'matches', 'contains', 'startsWith', 'endsWith'];
const KEYWORDS: readonly string[] = ['and', 'or', 'not', ...WORD_OPERATORS];

function bindings(power: number, operators: Readonly<Record<string, BinaryOperator>>): [string, Binding][] {
  return Object.entries(operators).map(([text, operator]) => [text, { operator, power }]);
}

interface Cursor {
  readonly tokens: readonly Token[];
  position: number;
  depth: number;
  operators: number;
}

/** Throws EXPRESSION_SYNTAX. */
export function parseExpression(text: string): Node {
  if (text.length > MAX_LENGTH) {
    const reason = `it is longer than ${MAX_LENGTH} characters: received ${text.length}`;
    throw expressionFault('EXPRESSION_SYNTAX', reason, { at: MAX_LENGTH });
  }
  const cursor: Cursor = { tokens: tokenize(text), position: 0, depth: 0, operators: 0 };
  const node = parseChoice(cursor);
  const rest = peek(cursor);
  if (rest.kind !== 'end') throw unexpected(rest);
  return node;
}

function parseChoice(cursor: Cursor): Node {
  const condition = parseBinary(cursor, 0);
  const { at } = peek(cursor);
  if (!take(cursor, '?')) return condition;
  const yes = nested(cursor, parseChoice);
  expect(cursor, ':');
  return { kind: 'choice', condition, yes, no: nested(cursor, parseChoice), at };
}

function parseBinary(cursor: Cursor, leastPower: number): Node {
  let left = parseUnary(cursor);
  for (;;) {
    const token = peek(cursor);
    const negated = isWord(token, 'not');
    const sign = negated ? cursor.tokens[cursor.position + 1] : token;
    const binding = isOperator(sign) ? BINARY.get(sign.text) : undefined;
    if (binding === undefined || binding.power < leastPower) return left;
    if (negated && !WORD_OPERATORS.includes(binding.operator)) throw unexpected(token);
    cursor.position += negated ? 2 : 1;
    countOperator(cursor, token);
    // Powers bind to the right: 2 ** 3 ** 2 is 2 ** 9.
    const power = binding.operator === '**' ? binding.power : binding.power + 1;
    const right = nested(cursor, () => parseBinary(cursor, power));
    const node: Node = { kind: 'binary', operator: binding.operator, left, right, at: token.at };
    left = negated ? { kind: 'unary', operator: 'not', operand: node, at: token.at } : node;
  }
}

function parseUnary(cursor: Cursor): Node {
  const token = peek(cursor);
  const isNot = isWord(token, 'not') || isSign(token, '!');
  if (!isNot && !isSign(token, '-') && !isSign(token, '+')) return parsePrimary(cursor);
  cursor.position++;
  const operand = nested(cursor, () => parseBinary(cursor, isNot ? NOT_POWER : SIGN_POWER));
  const operator = isNot ? 'not' : token.text === '-' ? '-' : '+';
  return { kind: 'unary', operator, operand, at: token.at };
}

function parsePrimary(cursor: Cursor): Node {
  const token = peek(cursor);
  const { at } = token;
  if (token.kind === 'number' || token.kind === 'string') {
    cursor.position++;
    return { kind: 'literal', value: token.kind === 'string' ? token.text : numberOf(token), at };
  }
  if (take(cursor, '(')) {
    const inner = nested(cursor, parseChoice);
    expect(cursor, ')');
    return inner;
  }
  if (take(cursor, '[')) return { kind: 'list', items: parseItems(cursor, ']'), at };
  if (token.kind !== 'name' || KEYWORDS.includes(token.text)) throw unexpected(token);
  cursor.position++;
  if (token.text === 'true' || token.text === 'false') {
    return { kind: 'literal', value: token.text === 'true', at };
  }
  if (take(cursor, '(')) return { kind: 'call', name: token.text, args: parseItems(cursor, ')'), at };
  throw expressionFault('EXPRESSION_SYNTAX', `unknown name ${token.text}`, {
    at,
    hint: 'Functions need parentheses, and texts single quotes: a Corefile takes double ones away',
  });
}

function countOperator(cursor: Cursor, { at }: Token): void {
  if (++cursor.operators <= MAX_OPERATORS) return;
  throw expressionFault('EXPRESSION_SYNTAX', `it has more than ${MAX_OPERATORS} operators`, { at });
}

/** What stands between commas, up to and with `close`. */
function parseItems(cursor: Cursor, close: string): readonly Node[] {
  const items: Node[] = [];
  while (!take(cursor, close)) {
    if (items.length > 0) expect(cursor, ',');
    // A comma may stand behind the last item.
    if (items.length > 0 && take(cursor, close)) return items;
    items.push(nested(cursor, parseChoice));
  }
  return items;
}

function nested(cursor: Cursor, parse: (cursor: Cursor) => Node): Node {
  if (++cursor.depth > MAX_DEPTH) {
    const reason = `it is nested more than ${MAX_DEPTH} levels deep`;
    throw expressionFault('EXPRESSION_SYNTAX', reason, { at: peek(cursor).at });
  }
  const node = parse(cursor);
  cursor.depth--;
  return node;
}

function numberOf({ text, at }: Token): number {
  const value = Number(text.replaceAll('_', ''));
  if (Number.isFinite(value)) return value;
  throw expressionFault('EXPRESSION_SYNTAX', `${text} is no number`, { at });
}

function peek({ tokens, position }: Cursor): Token {
  const token = tokens[position] ?? tokens.at(-1);
  if (token === undefined) throw new Error('an expression without an end');
  return token;
}

function take(cursor: Cursor, sign: string): boolean {
  if (!isSign(peek(cursor), sign)) return false;
  cursor.position++;
  return true;
}

function expect(cursor: Cursor, sign: string): void {
  const token = peek(cursor);
  if (!take(cursor, sign)) throw unexpected(token, `, expected ${sign}`);
}

function isSign(token: Token, text: string): boolean {
  return token.kind === 'sign' && token.text === text;
}

function isWord(token: Token, text: string): boolean {
  return token.kind === 'name' && token.text === text;
}

function isOperator(token: Token | undefined): token is Token {
  return token !== undefined && (token.kind === 'sign' || token.kind === 'name');
}

function unexpected({ kind, text, at }: Token, expected = ''): Error {
  const what = kind === 'end' ? 'end' : kind === 'string' ? `'${text}'` : text;
  return expressionFault('EXPRESSION_SYNTAX', `unexpected ${what}${expected}`, { at });
}
