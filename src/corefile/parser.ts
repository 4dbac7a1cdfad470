/**
 * Corefile text to AST (dns-server 1.2 to 1.4), accepting and refusing what CoreDNS accepts and refuses, in its words.
 * Which words are directives is told from outside; what they mean is their plugins' business.
 */
import type { Block, Corefile, Token } from './ast.ts';
import { buildBlock, type RawDirective } from './block.ts';
import { type Environment, replaceEnvironment } from './environment.ts';
import { argumentFault, expectationFault, parsingFault } from './faults.ts';
import { corefileHash, type RawBlock } from './hash.ts';
import { type CorefileSources, Imports } from './imports.ts';
import { tokenize } from './lexer.ts';
import { nearestWord } from './nearest.ts';
import { TokenCursor } from './token-cursor.ts';

export interface ParseOptions {
  /** The path as the operator gave it: it stands in errors, and imports are relative to its directory. */
  readonly file: string;
  readonly sources: CorefileSources;
  readonly env: Environment;
  /** The words that may start a line of a block. */
  readonly knownPlugins: ReadonlySet<string>;
}

interface State {
  readonly cursor: TokenCursor;
  readonly imports: Imports;
  readonly text: string;
  readonly options: ParseOptions;
}

/** Throws an `AppError` at the first thing that is wrong. */
export function parseCorefile(text: string, options: ParseOptions): Corefile {
  const { file, sources } = options;
  const imports = new Imports(sources);
  const state: State = { cursor: new TokenCursor(tokenize(text, file)), imports, text, options };
  const blocks: Block[] = [];
  const raw: RawBlock[] = [];
  while (state.cursor.next()) {
    const parsed = parseBlock(state);
    if (parsed === undefined) continue;
    blocks.push(buildBlock(parsed.keys, parsed.directives));
    raw.push({ keys: parsed.keys, tokens: byWord(parsed.directives) });
  }
  return { blocks, warnings: imports.warnings, hash: corefileHash(raw, file) };
}

interface ParsedBlock {
  readonly keys: readonly Token[];
  readonly directives: readonly RawDirective[];
}

/** Nothing for a snippet's definition, and for a block without keys, which serves nobody. */
function parseBlock(state: State): ParsedBlock | undefined {
  const { keys, ended } = parseKeys(state);
  const snippet = snippetName(keys);
  if (snippet !== undefined && !ended) {
    defineSnippet(state, snippet);
    return undefined;
  }
  const directives = ended ? [] : parseBody(state);
  return keys.length === 0 ? undefined : { keys, directives };
}

function parseKeys(state: State): { keys: Token[]; ended: boolean } {
  const { cursor } = state;
  const keys: Token[] = [];
  let another = false;
  for (;;) {
    const token = currentToken(state);
    if (token === undefined) return { keys, ended: true };
    if (token.text === 'import' && cursor.startsLine) {
      expandImport(state);
      if (!cursor.next()) return { keys, ended: true };
      continue;
    }
    if (token.text === '{') {
      if (!another) return { keys, ended: false };
      throw parsingFault(token, `Expected another address but had '{' - check for extra comma`);
    }
    another = token.text.endsWith(',');
    const text = another ? token.text.slice(0, -1) : token.text;
    if (text !== '') keys.push({ ...token, text });
    if (!cursor.next()) {
      if (another) throw parsingFault(token, 'Unexpected EOF');
      return { keys, ended: true };
    }
    if (!another && cursor.startsLine) return { keys, ended: false };
  }
}

function snippetName(keys: readonly Token[]): string | undefined {
  return keys.length === 1 ? /^\((.+)\)$/.exec(keys[0]?.text ?? '')?.[1] : undefined;
}

function defineSnippet(state: State, name: string): void {
  const { cursor, imports } = state;
  const brace = cursor.token;
  if (brace === undefined) return;
  if (brace.text !== '{') throw expectationFault(brace, '{');
  const tokens: Token[] = [];
  for (let depth = 1; cursor.next(); ) {
    const token = cursor.token;
    if (token === undefined) break;
    if (token.text === '{') depth++;
    if (token.text === '}' && --depth === 0) {
      imports.define(name, tokens, brace);
      return;
    }
    tokens.push(token);
  }
  throw expectationFault(cursor.token ?? brace, '}');
}

/** With braces to the closing one, without them to the end of the file. */
function parseBody(state: State): RawDirective[] {
  const { cursor } = state;
  const braced = cursor.token?.text === '{';
  if (!braced) cursor.back();
  const directives = parseDirectives(state);
  const last = cursor.token;
  if (braced && last !== undefined && last.text !== '}') throw expectationFault(last, '}');
  return directives;
}

function parseDirectives(state: State): RawDirective[] {
  const directives: RawDirective[] = [];
  while (state.cursor.next()) {
    const word = currentToken(state);
    if (word === undefined || word.text === '}') break;
    if (word.text === 'import') expandImport(state);
    else directives.push(parseDirective(state, word));
  }
  return directives;
}

function parseDirective(state: State, name: Token): RawDirective {
  const { cursor } = state;
  if (!state.options.knownPlugins.has(name.text)) throw unknownDirective(state, name);
  const tokens = [name];
  let depth = 0;
  while (cursor.next()) {
    const token = cursor.token;
    if (token === undefined) break;
    if (token.text === '{') depth++;
    else if (cursor.startsLine && depth === 0) {
      cursor.back();
      break;
    } else if (token.text === '}' && depth > 0) depth--;
    else if (token.text === '}') {
      throw parsingFault(token, `Unexpected '}' because no matching opening brace`);
    } else if (token.text === 'import' && cursor.startsLine) {
      expandImport(state);
      continue;
    }
    tokens.push(currentToken(state) ?? token);
  }
  if (depth > 0) throw parsingFault(cursor.token ?? name, 'Unexpected EOF');
  return tokens;
}

/** The cursor stands on `import`; afterwards it stands just before what was brought in. */
function expandImport(state: State): void {
  const { cursor, imports } = state;
  const word = cursor.token;
  if (word === undefined) return;
  if (!cursor.nextOnLine()) throw argumentFault(word);
  const target = currentToken(state) ?? word;
  if (target.text === '') throw parsingFault(target, 'Import requires a non-empty filepath');
  if (cursor.nextOnLine()) {
    throw parsingFault(target, 'Import takes only one argument (glob pattern or file)', {
      code: 'COREFILE_IMPORT',
      hint: 'Snippets take no arguments here, other than in Caddy',
    });
  }
  cursor.splice(2, imports.resolve(target, target.text));
}

/** The token under the cursor with its environment variables replaced, also in the list. */
function currentToken({ cursor, options }: State): Token | undefined {
  const token = cursor.token;
  if (token !== undefined) cursor.replaceText(replaceEnvironment(token.text, options.env));
  return cursor.token;
}

function unknownDirective(state: State, word: Token): Error {
  const near = nearestWord(word.text, state.options.knownPlugins);
  const text = word.file === state.options.file ? state.text : state.imports.text(word.file);
  const line = text?.split('\n')[word.line - 1]?.trim() ?? word.text;
  const guess = near === undefined ? '' : `; did you mean '${near}'?`;
  return parsingFault(word, `Unknown directive '${word.text}'`, {
    code: 'COREFILE_UNKNOWN_DIRECTIVE',
    hint: `Column ${word.column} of: ${line}${guess}`,
  });
}

function byWord(directives: readonly RawDirective[]): Map<string, Token[]> {
  const words = new Map<string, Token[]>();
  for (const tokens of directives) {
    const word = tokens[0]?.text ?? '';
    words.set(word, [...(words.get(word) ?? []), ...tokens]);
  }
  return words;
}
