/**
 * Sizes and names of files and folders. A file may be long for a reason, and the reason stands in its head comment
 * in a sentence with the word "long"; past the hard limit no reason helps.
 */
import { type Finding, isCode, isTest, type SourceFile } from './source-file.ts';

const MAX_LINES_WITHOUT_REASON = 400;
const MAX_LINES = 600;
const MAX_FILES_PER_FOLDER = 20;
const GRAB_BAGS: readonly string[] = ['index', 'util', 'utils', 'helper', 'helpers', 'common', 'misc'];

export function checkSizes(files: readonly SourceFile[]): readonly Finding[] {
  return files.filter(isCode).flatMap((file) => {
    const lines = file.text.trimEnd().split('\n').length;
    const say = (message: string) => [{ path: file.path, message }];
    if (lines > MAX_LINES) return say(`${lines} lines: the limit is ${MAX_LINES}`);
    if (lines > MAX_LINES_WITHOUT_REASON && !/\blong\b/.test(headComment(file) ?? '')) {
      return say(`${lines} lines: the head comment does not say why it is this long`);
    }
    return [];
  });
}

export function checkNames(files: readonly SourceFile[]): readonly Finding[] {
  return files.filter(isCode).flatMap(({ path }) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const [stem = ''] = name.split('.');
    if (GRAB_BAGS.includes(stem)) return [{ path, message: `${name} names no idea: say what it holds` }];
    return /^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem) ? [] : [{ path, message: `${name} is not kebab-case` }];
  });
}

/** Tests and generated files do not count. */
export function checkFolders(files: readonly SourceFile[]): readonly Finding[] {
  const counts = new Map<string, number>();
  for (const file of files) {
    if (!isCode(file) || isTest(file)) continue;
    const folder = file.path.slice(0, file.path.lastIndexOf('/'));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > MAX_FILES_PER_FOLDER)
    .map(([path, count]) => ({ path, message: `${count} source files: split it by noun` }));
}

export function checkHeads(files: readonly SourceFile[]): readonly Finding[] {
  return files
    .filter((file) => isCode(file) && !isTest(file) && headComment(file) === undefined)
    .map(({ path }) => ({
      path,
      message: 'no head comment: say what the file owns and what must stay true',
    }));
}

/** The comment a file starts with, behind a `#!` line if there is one. */
function headComment({ text }: SourceFile): string | undefined {
  return /^(?:#![^\n]*\n)?\s*(\/\*[\s\S]*?\*\/|(?:\/\/[^\n]*(?:\n|$))+)/.exec(text)?.[1];
}
