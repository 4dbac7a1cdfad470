/**
 * What an `import` brings in (dns-server 1.3): the tokens of a snippet, or of the files that a path or pattern names.
 * Reading is injected, so that the parser itself stays a function of texts. Deliberately absent: snippet arguments.
 */
import { dirname, resolve } from 'node:path';
import { errorText } from '../fault/app-error.ts';
import type { Token } from './ast.ts';
import { parsingFault } from './faults.ts';
import { tokenize } from './lexer.ts';

/** The file system as the parser sees it; all paths are absolute. */
export interface CorefileSources {
  /** Throws when the file cannot be read; `code` is `EISDIR` for a directory. */
  readFile(path: string): string;
  /** Absolute paths that match, in any order; empty when there are none. */
  glob(pattern: string): readonly string[];
}

/** A file that imports itself would go on for ever; real files need a handful. */
const MOST_SNIPPETS = 10_000;
const MOST_FILES = 10_000;

export class Imports {
  readonly #sources: CorefileSources;
  readonly #snippets = new Map<string, readonly Token[]>();
  readonly #texts = new Map<string, string>();
  readonly warnings: string[] = [];
  #snippetCount = 0;
  #fileCount = 0;

  constructor(sources: CorefileSources) {
    this.#sources = sources;
  }

  /** `brace` is where the body opens: the place that a redefinition is reported at. */
  define(name: string, tokens: readonly Token[], brace: Token): void {
    if (this.#snippets.has(name)) {
      const reason = `redeclaration of previously declared snippet ${name}`;
      throw parsingFault(brace, reason, { code: 'COREFILE_SNIPPET' });
    }
    this.#snippets.set(name, tokens);
  }

  /** The source text of a file that was imported, for showing a line of it. */
  text(file: string): string | undefined {
    return this.#texts.get(file);
  }

  resolve(at: Token, wanted: string): readonly Token[] {
    const snippet = this.#snippets.get(wanted);
    if (snippet === undefined) return this.#files(at, wanted);
    if (++this.#snippetCount > MOST_SNIPPETS) {
      throw importFault(at, `maximum snippet import depth (${MOST_SNIPPETS}) exceeded`);
    }
    return snippet;
  }

  #files(at: Token, pattern: string): readonly Token[] {
    const matches = this.#match(at, pattern);
    return matches.flatMap((path) => {
      if (++this.#fileCount > MOST_FILES) {
        throw importFault(at, `maximum file import depth (${MOST_FILES}) exceeded`);
      }
      return tokenize(this.#read(at, path), path);
    });
  }

  #match(at: Token, pattern: string): readonly string[] {
    const many = [...pattern].filter((rune) => rune === '*').length > 1;
    const questions = [...pattern].filter((rune) => rune === '?').length > 1;
    if (many || questions || pattern.includes('[')) {
      throw importFault(at, `Glob pattern may only contain one wildcard (*), but has others: ${pattern}`);
    }
    const path = resolve(dirname(resolve(at.file)), pattern);
    if (!/[*?]/.test(pattern)) return [path];
    const matches = [...this.#sources.glob(path)].sort();
    if (matches.length === 0) this.warnings.push(`No files matching import glob pattern: ${pattern}`);
    return matches;
  }

  #read(at: Token, path: string): string {
    const known = this.#texts.get(path);
    if (known !== undefined) return known;
    try {
      const text = this.#sources.readFile(path);
      this.#texts.set(path, text);
      return text;
    } catch (error) {
      throw importFault(at, readFailure(error, at, path));
    }
  }
}

function readFailure(error: unknown, at: Token, path: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return `File to import not found: ${at.text}`;
  if (code === 'EISDIR') return `Could not import ${at.text}: is a directory`;
  return `Could not import ${path}: ${errorText(error)}`;
}

function importFault(at: Token, reason: string): Error {
  return parsingFault(at, reason, { code: 'COREFILE_IMPORT' });
}
