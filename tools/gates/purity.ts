/**
 * Folders whose code is a function of its arguments alone: no Node modules, nothing asynchronous, no clock, no chance.
 * The same answer for agent, doctor and test is worth more than any convenience there.
 */
import { importsOf } from './imports.ts';
import { maskCode } from './mask.ts';
import { type Finding, isCode, isTest, lineAt, type SourceFile } from './source-file.ts';

const PURE_FOLDERS: readonly string[] = ['src/policy/'];

const FORBIDDEN: readonly (readonly [pattern: RegExp, message: string])[] = [
  [/\basync\b|\bawait\b|\bPromise\b/g, 'nothing asynchronous in a pure folder'],
  [/\bDate\b|\bperformance\b/g, 'no clock in a pure folder'],
  [/\bMath\.random\b|\bcrypto\b/g, 'no chance in a pure folder'],
  [/\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/g, 'no timers in a pure folder'],
  [/\bprocess\b|\bconsole\b|\bglobalThis\b|\bfetch\b/g, 'no surroundings in a pure folder'],
];

export function checkPurity(files: readonly SourceFile[]): readonly Finding[] {
  return files
    .filter((file) => isCode(file) && !isTest(file))
    .filter(({ path }) => PURE_FOLDERS.some((folder) => path.startsWith(folder)))
    .flatMap((file) => [...checkImports(file), ...checkWords(file)]);
}

function checkImports(file: SourceFile): readonly Finding[] {
  return importsOf(file)
    .filter(({ specifier }) => !specifier.startsWith('.'))
    .map(({ specifier, line }) => ({
      path: file.path,
      line,
      message: `a pure folder may not import ${specifier}`,
    }));
}

function checkWords({ path, text }: SourceFile): readonly Finding[] {
  const code = maskCode(text, { keepStrings: false });
  return FORBIDDEN.flatMap(([pattern, message]) =>
    Array.from(code.matchAll(pattern), (match) => ({
      path,
      line: lineAt(code, match.index),
      message: `${message}: ${match[0]}`,
    })),
  );
}
