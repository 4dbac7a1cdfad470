/** The import statements of a file: static, side-effect, re-exporting, dynamic and `require`. */
import { maskCode } from './mask.ts';
import { lineAt, type SourceFile } from './source-file.ts';

export interface Import {
  /** As written between the quotes. */
  readonly specifier: string;
  readonly line: number;
}

/** The word it starts with must stand outside of strings, which is asked apart. */
const PATTERN =
  /(?:\b(?:import|export)\b[^'";=()]*?\bfrom\s*|\bimport\s*|\bimport\s*\(\s*|\brequire\s*\(\s*)(['"])([^'"\n]+)\1/g;

export function importsOf({ text }: SourceFile): readonly Import[] {
  const code = maskCode(text, { keepStrings: true });
  const bare = maskCode(text, { keepStrings: false });
  return Array.from(code.matchAll(PATTERN))
    .filter(({ index }) => bare[index] === code[index])
    .map((match) => ({ specifier: match[2] ?? '', line: lineAt(code, match.index) }));
}

/** `@scope/name` of `@scope/name/sub`, `name` of `name/sub`; undefined for our own files and for Node's modules. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The path a relative specifier leads to, from the repository's root; undefined if it leads out of it. */
export function targetOf(path: string, specifier: string): string | undefined {
  const parts = path.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}
