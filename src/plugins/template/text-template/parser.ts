/**
 * Template text to a tree. What can be known to be wrong before any query comes is refused here: functions, variables and
 * fields of the data that do not exist. Deliberately absent, and refused by name: `define`, `template` and `block`, since
 * one record needs no templates within it.
 */
import { FUNCTION_NAMES, UNSUPPORTED_FUNCTIONS } from './functions.ts';
import { lexTemplate, type Piece, type TemplateFault, type TemplateToken, wrongTemplate } from './lexer.ts';
import { parseLiteral } from './literals.ts';
import type { Command, Node, Nodes, Operand, Pipe } from './tree.ts';

/** Deeper nesting is no template that somebody wrote. */
const MAX_DEPTH = 100;
const ABSENT = new Set(['define', 'template', 'block']);

interface Parser {
  readonly pieces: readonly Piece[];
  piece: number;
  tokens: readonly TemplateToken[];
  next: number;
  /** Where the action began, for errors at its end. */
  offset: number;
  readonly variables: string[];
  /** Fields that the data has; known only while the dot is the data. */
  readonly fields: ReadonlySet<string>;
  /** Those that the template looks at. */
  readonly reads: Set<string>;
  dotIsData: boolean;
  rangeDepth: number;
  depth: number;
}

/** In place of a field: the template hands the data on as it is, and may look at all of it. */
export const WHOLE_DATA = '.';

/** Carries a fault through the recursion; caught in `parseTemplate` alone. */
class Refusal extends Error {
  readonly fault: TemplateFault;

  constructor(offset: number, reason: string) {
    super(reason);
    this.fault = wrongTemplate(offset, reason);
  }
}

export function parseTemplate(
  source: string,
  fields: readonly string[],
): { ok: true; nodes: Nodes; reads: ReadonlySet<string> } | TemplateFault {
  const lexed = lexTemplate(source);
  if (!lexed.ok) return lexed;
  const parser: Parser = {
    pieces: lexed.pieces,
    piece: 0,
    tokens: [],
    next: 0,
    offset: 0,
    variables: ['$'],
    fields: new Set(fields),
    reads: new Set(),
    dotIsData: true,
    rangeDepth: 0,
    depth: 0,
  };
  try {
    const { nodes, end } = parseList(parser);
    if (end !== undefined) throw new Refusal(parser.offset, `unexpected {{${end}}}`);
    return { ok: true, nodes, reads: parser.reads };
  } catch (error) {
    if (error instanceof Refusal) return error.fault;
    throw error;
  }
}

/** Up to the end of the text, `else` or `end`. */
function parseList(parser: Parser): { nodes: Node[]; end: 'else' | 'end' | undefined } {
  if (++parser.depth > MAX_DEPTH)
    throw new Refusal(parser.offset, `more than ${MAX_DEPTH} levels of nesting`);
  const nodes: Node[] = [];
  const known = parser.variables.length;
  let end: 'else' | 'end' | undefined;
  while (parser.piece < parser.pieces.length && end === undefined) {
    const piece = parser.pieces[parser.piece++];
    if (piece?.kind === 'text') nodes.push(piece);
    if (piece?.kind !== 'action') continue;
    enter(parser, piece);
    const word = peekWord(parser);
    if (word === 'else' || word === 'end') end = word;
    else nodes.push(parseAction(parser, word));
  }
  parser.variables.length = known;
  parser.depth--;
  return { nodes, end };
}

function enter(
  parser: Parser,
  { tokens, offset }: { tokens: readonly TemplateToken[]; offset: number },
): void {
  parser.tokens = tokens;
  parser.next = 0;
  parser.offset = offset;
}

function parseAction(parser: Parser, word: string | undefined): Node {
  switch (word) {
    case 'if':
    case 'with':
    case 'range':
      parser.next++;
      return parseBranch(parser, word);
    case 'break':
    case 'continue':
      parser.next++;
      expectEnd(parser);
      if (parser.rangeDepth === 0) throw new Refusal(parser.offset, `{{${word}}} outside {{range}}`);
      return { kind: word };
    default: {
      if (word !== undefined && ABSENT.has(word)) {
        throw new Refusal(parser.offset, `{{${word}}} is not supported by this server`);
      }
      const pipe = parsePipe(parser);
      expectEnd(parser);
      return { kind: 'action', pipe };
    }
  }
}

function parseBranch(parser: Parser, kind: 'if' | 'with' | 'range'): Node {
  const start = parser.offset;
  const known = parser.variables.length;
  const pipe = parsePipe(parser, kind === 'range');
  expectEnd(parser);
  const { dotIsData } = parser;
  if (kind !== 'if') parser.dotIsData = false;
  if (kind === 'range') parser.rangeDepth++;
  const { nodes: body, end } = parseList(parser);
  if (kind === 'range') parser.rangeDepth--;
  parser.dotIsData = dotIsData;
  const otherwise = end === 'else' ? parseElse(parser, kind) : [];
  if (end === undefined) throw new Refusal(start, `{{${kind}}} without {{end}}`);
  parser.variables.length = known;
  return { kind, pipe, body, otherwise };
}

/** `else if` and `else with` hold one branch, whose `end` is theirs too. */
function parseElse(parser: Parser, kind: 'if' | 'with' | 'range'): Nodes {
  parser.next = 1;
  const word = peekWord(parser);
  if (word !== undefined && word === kind && kind !== 'range') {
    parser.next++;
    return [parseBranch(parser, kind)];
  }
  expectEnd(parser);
  const start = parser.offset;
  const { nodes, end } = parseList(parser);
  if (end !== 'end')
    throw new Refusal(
      start,
      end === 'else' ? 'expected {{end}} behind {{else}}' : '{{else}} without {{end}}',
    );
  return nodes;
}

function parsePipe(parser: Parser, allowsTwo = false): Pipe {
  const { variables, assigns } = parseVariables(parser, allowsTwo);
  const commands: Command[] = [parseCommand(parser)];
  while (takeSymbol(parser, '|')) commands.push(parseCommand(parser));
  if (!assigns) parser.variables.push(...variables);
  return { variables, assigns, commands };
}

/** `$x :=`, `$x =`, and for ranges `$i, $x :=`; nothing when the action starts otherwise. */
function parseVariables(parser: Parser, allowsTwo: boolean): { variables: string[]; assigns: boolean } {
  const [first, comma, second] = parser.tokens.slice(parser.next, parser.next + 3);
  const two = allowsTwo && first?.kind === 'variable' && comma?.text === ',' && second?.kind === 'variable';
  const names = two ? [first, second] : [first];
  const at = parser.next + (two ? 3 : 1);
  const sign = parser.tokens[at];
  if (first?.kind !== 'variable' || sign?.kind !== 'symbol' || (sign.text !== ':=' && sign.text !== '=')) {
    return { variables: [], assigns: false };
  }
  parser.next = at + 1;
  const assigns = sign.text === '=';
  const variables = names.flatMap((token) => (token === undefined ? [] : [token.text]));
  if (assigns) for (const name of variables) expectVariable(parser, name, first.offset);
  return { variables, assigns };
}

function parseCommand(parser: Parser): Command {
  const first = parseOperand(parser);
  const rest: Operand[] = [];
  while (parser.next < parser.tokens.length) {
    const token = parser.tokens[parser.next];
    if (token?.kind === 'symbol' && token.text !== '(') break;
    rest.push(parseOperand(parser));
  }
  if (rest.length > 0 && first.base.kind === 'constant') {
    throw new Refusal(first.offset, "can't give an argument to what is no function");
  }
  return [first, ...rest];
}

function parseOperand(parser: Parser): Operand {
  const token = parser.tokens[parser.next++];
  if (token === undefined) throw new Refusal(parser.offset, 'missing value for command');
  const base = parseBase(parser, token);
  const fields = token.kind === 'field' ? [token.text] : [];
  for (;;) {
    const field = parser.tokens[parser.next];
    if (field?.kind !== 'field' || field.spaced) break;
    fields.push(field.text);
    parser.next++;
  }
  const [field] = fields;
  const isData = (base.kind === 'dot' && parser.dotIsData) || (base.kind === 'variable' && base.name === '$');
  if (isData && field !== undefined && !parser.fields.has(field)) {
    throw new Refusal(
      token.offset,
      `can't evaluate field ${field}: there are ${[...parser.fields].join(', ')}`,
    );
  }
  if (isData) parser.reads.add(field ?? WHOLE_DATA);
  return { base, fields, offset: token.offset };
}

function parseBase(parser: Parser, token: TemplateToken): Operand['base'] {
  switch (token.kind) {
    case 'field':
    case 'dot':
      return { kind: 'dot' };
    case 'variable':
      expectVariable(parser, token.text, token.offset);
      return { kind: 'variable', name: token.text };
    case 'word':
      return parseWord(token);
    case 'symbol':
      return parseParenthesis(parser, token);
    case 'string':
    case 'number':
    case 'char': {
      const literal = parseLiteral(token);
      if (literal === undefined) throw new Refusal(token.offset, `bad literal: ${token.text}`);
      return { kind: 'constant', value: literal };
    }
  }
}

function parseWord({ text, offset }: TemplateToken): Operand['base'] {
  if (text === 'true' || text === 'false') return { kind: 'constant', value: text === 'true' };
  if (text === 'nil') return { kind: 'constant', value: undefined };
  if (FUNCTION_NAMES.has(text)) return { kind: 'function', name: text };
  const why = UNSUPPORTED_FUNCTIONS.has(text) ? 'is not supported by this server' : 'not defined';
  throw new Refusal(offset, `function ${JSON.stringify(text)} ${why}`);
}

function parseParenthesis(parser: Parser, { text, offset }: TemplateToken): Operand['base'] {
  if (text !== '(') throw new Refusal(offset, `unexpected ${JSON.stringify(text)} in operand`);
  if (++parser.depth > MAX_DEPTH) throw new Refusal(offset, `more than ${MAX_DEPTH} levels of nesting`);
  const pipe = parsePipe(parser);
  if (!takeSymbol(parser, ')')) throw new Refusal(offset, 'unclosed left paren');
  parser.depth--;
  return { kind: 'pipe', pipe };
}

function expectVariable(parser: Parser, name: string, offset: number): void {
  if (!parser.variables.includes(name))
    throw new Refusal(offset, `undefined variable ${JSON.stringify(name)}`);
}

function expectEnd(parser: Parser): void {
  const extra = parser.tokens[parser.next];
  if (extra !== undefined)
    throw new Refusal(extra.offset, `unexpected ${JSON.stringify(extra.text)} in command`);
}

function takeSymbol(parser: Parser, text: string): boolean {
  const token = parser.tokens[parser.next];
  if (token?.kind !== 'symbol' || token.text !== text) return false;
  parser.next++;
  return true;
}

function peekWord(parser: Parser): string | undefined {
  const token = parser.tokens[parser.next];
  return token?.kind === 'word' ? token.text : undefined;
}
