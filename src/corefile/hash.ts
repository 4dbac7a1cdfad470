/**
 * The fingerprint that the `reload` plugin prints and compares (dns-server 3.9): SHA-512 over the parsed file as the
 * JSON that CoreDNS makes of it, byte for byte, so that a hash in a log means the same file in both programs.
 */
import { createHash } from 'node:crypto';
import type { Token } from './ast.ts';

/** A block before it becomes the AST: all tokens of a word's occurrences in a row, braces included. */
export interface RawBlock {
  readonly keys: readonly Token[];
  readonly tokens: ReadonlyMap<string, readonly Token[]>;
}

/** `mainFile` is the name that the main file's tokens carry; CoreDNS leaves it empty. */
export function corefileHash(blocks: readonly RawBlock[], mainFile: string): string {
  return createHash('sha512').update(corefileJson(blocks, mainFile)).digest('hex');
}

export function corefileJson(blocks: readonly RawBlock[], mainFile: string): string {
  const plain = blocks.map(({ keys, tokens }) => ({
    Keys: keys.map((key) => key.text),
    Tokens: Object.fromEntries([...tokens].sort(byName).map(([word, list]) => [word, list.map(plainToken)])),
  }));
  return escapeAsGo(JSON.stringify(plain.length === 0 ? null : plain));

  function plainToken({ file, line, text }: Token): { File: string; Line: number; Text: string } {
    return { File: file === mainFile ? '' : file, Line: line, Text: text };
  }
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** Go writes these five as escapes, so that JSON may stand inside HTML and JavaScript. */
function escapeAsGo(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
