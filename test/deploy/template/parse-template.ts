/**
 * The part of Go's template language that our chart keeps to, as a tree. There is no helm on a Debian machine, so the
 * tests render the chart themselves; whatever stands outside this part is refused here, with its place, rather than
 * rendered in some way that helm would not. Deliberately absent: templates within templates (`template`, `block`),
 * `break`, `continue`, range variables, method calls other than `.Files.Get`.
 */

export type Operand =
  | { readonly kind: 'value'; readonly value: string | number | boolean | undefined }
  /** `.a.b`, `$.a`, `$name.a`; `variable` absent: from the dot. */
  | { readonly kind: 'field'; readonly variable?: string; readonly path: readonly string[] }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
  | { readonly kind: 'function'; readonly name: string };

/** What comes out of one command is the last argument of the next. */
export type Pipeline = readonly (readonly Operand[])[];

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline; readonly line: number }
  | { readonly kind: 'assign'; readonly name: string; readonly pipeline: Pipeline; readonly line: number }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly line: number;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

export interface ParsedTemplate {
  readonly body: readonly Node[];
  readonly defines: ReadonlyMap<string, readonly Node[]>;
}

interface Piece {
  readonly action: boolean;
  readonly text: string;
  readonly line: number;
}

/** Throws an `Error` with name and line for what is outside the subset. */
export function parseTemplate(name: string, source: string): ParsedTemplate {
  const defines = new Map<string, readonly Node[]>();
  const reader = { name, pieces: splitActions(source), at: 0, defines };
  const { nodes, end } = readNodes(reader);
  if (end !== undefined) throw new Error(`${name}: an "end" or "else" without its beginning`);
  return { body: nodes, defines };
}

/** A dash beside a brace takes the white space next to it away, as text/template has it. */
function splitActions(source: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  let trim = false;
  for (const match of source.matchAll(/\{\{(-(?=\s))?([\s\S]*?)((?<=\s)-)?\}\}/g)) {
    const raw = source.slice(from, match.index);
    const left = trim ? raw.trimStart() : raw;
    pieces.push({ action: false, text: match[1] === undefined ? left : left.trimEnd(), line: 0 });
    const line = source.slice(0, match.index).split('\n').length;
    pieces.push({ action: true, text: (match[2] ?? '').trim(), line });
    trim = match[3] !== undefined;
    from = match.index + match[0].length;
  }
  const rest = source.slice(from);
  pieces.push({ action: false, text: trim ? rest.trimStart() : rest, line: 0 });
  return pieces;
}

interface Reader {
  readonly name: string;
  readonly pieces: readonly Piece[];
  at: number;
  readonly defines: Map<string, readonly Node[]>;
}

interface Ended {
  readonly nodes: readonly Node[];
  /** The action that ended them: `end`, `else`, `else if …`. */
  readonly end?: Piece;
}

function readNodes(reader: Reader): Ended {
  const nodes: Node[] = [];
  for (let piece = reader.pieces[reader.at++]; piece !== undefined; piece = reader.pieces[reader.at++]) {
    if (!piece.action) {
      nodes.push({ kind: 'text', text: piece.text });
      continue;
    }
    if (/^(end|else)\b/.test(piece.text)) return { nodes, end: piece };
    const node = readAction(reader, piece);
    if (node !== undefined) nodes.push(node);
  }
  return { nodes };
}

function readAction(reader: Reader, { text, line }: Piece): Node | undefined {
  if (text.startsWith('/*') && text.endsWith('*/')) return undefined;
  const where = `${reader.name}:${line}`;
  const define = /^define "([^"]+)"$/.exec(text);
  if (define?.[1] !== undefined) {
    const { nodes, end } = readNodes(reader);
    if (end?.text !== 'end') throw new Error(`${where}: define without its end`);
    reader.defines.set(define[1], nodes);
    return undefined;
  }
  const block = /^(if|with|range)\s+([\s\S]+)$/.exec(text);
  if (block?.[1] !== undefined) {
    const kind = block[1] as 'if' | 'with' | 'range';
    return readBlock(reader, { kind, text: block[2] ?? '', line });
  }
  const assign = /^\$(\w+)\s*:=\s*([\s\S]+)$/.exec(text);
  if (assign?.[1] !== undefined) {
    return { kind: 'assign', name: assign[1], pipeline: parsePipeline(assign[2] ?? '', where), line };
  }
  return { kind: 'print', pipeline: parsePipeline(text, where), line };
}

function readBlock(
  reader: Reader,
  { kind, text, line }: { kind: 'if' | 'with' | 'range'; text: string; line: number },
): Node {
  const where = `${reader.name}:${line}`;
  const pipeline = parsePipeline(text, where);
  const { nodes: body, end } = readNodes(reader);
  if (end === undefined) throw new Error(`${where}: ${kind} without its end`);
  if (end.text === 'end') return { kind, pipeline, line, body, otherwise: [] };
  const elseIf = /^else if\s+([\s\S]+)$/.exec(end.text);
  if (elseIf?.[1] !== undefined) {
    const nested = readBlock(reader, { kind: 'if', text: elseIf[1], line: end.line });
    return { kind, pipeline, line, body, otherwise: [nested] };
  }
  if (end.text !== 'else') throw new Error(`${where}: ${end.text} is not in the subset`);
  const { nodes: otherwise, end: last } = readNodes(reader);
  if (last?.text !== 'end') throw new Error(`${where}: else without its end`);
  return { kind, pipeline, line, body, otherwise };
}

const TOKEN =
  /\s+|(?<string>"(?:[^"\\]|\\.)*")|(?<number>-?\d+)(?![\w.])|(?<field>(?:\$\w*)?(?:\.[A-Za-z_]\w*)+|\$\w*|\.)|(?<word>[A-Za-z_]\w*)|(?<mark>[()|])/y;

function parsePipeline(text: string, where: string): Pipeline {
  const tokens: RegExpExecArray[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(text);
    if (token === null) throw new Error(`${where}: ${text.slice(at)} is not in the subset`);
    if (token[0].trim() !== '') tokens.push(token);
  }
  const reader = { tokens, at: 0, where };
  const pipeline = readPipeline(reader);
  if (reader.at < tokens.length) throw new Error(`${where}: a parenthesis too many`);
  return pipeline;
}

interface TokenReader {
  readonly tokens: readonly RegExpExecArray[];
  at: number;
  readonly where: string;
}

function readPipeline(reader: TokenReader): Pipeline {
  const commands: Operand[][] = [[]];
  for (let token = reader.tokens[reader.at]; token !== undefined; token = reader.tokens[reader.at]) {
    if (token[0] === ')') break;
    reader.at++;
    if (token[0] === '|') commands.push([]);
    else commands.at(-1)?.push(readOperand(reader, token));
  }
  if (commands.some((command) => command.length === 0)) throw new Error(`${reader.where}: an empty command`);
  return commands;
}

function readOperand(reader: TokenReader, token: RegExpExecArray): Operand {
  const { string, number, field, word } = token.groups ?? {};
  if (string !== undefined) return { kind: 'value', value: JSON.parse(string) as string };
  if (number !== undefined) return { kind: 'value', value: Number(number) };
  if (field !== undefined) return fieldOperand(field);
  if (word === 'true' || word === 'false') return { kind: 'value', value: word === 'true' };
  if (word !== undefined) return { kind: 'function', name: word };
  const pipeline = readPipeline(reader);
  if (reader.tokens[reader.at++]?.[0] !== ')')
    throw new Error(`${reader.where}: a parenthesis is not closed`);
  return { kind: 'pipeline', pipeline };
}

function fieldOperand(text: string): Operand {
  const [head = '', ...path] = text.split('.');
  const names = path.filter((part) => part !== '');
  return head === ''
    ? { kind: 'field', path: names }
    : { kind: 'field', variable: head.slice(1), path: names };
}
