/**
 * Words that must not stay behind: notes to oneself, tests that are switched off or switch off the others, and paths
 * of the machine somebody worked on.
 */
import { maskCode } from './mask.ts';
import { type Finding, isCode, isTest, lineAt, type SourceFile } from './source-file.ts';

/** Written in pieces, or this file would find itself. */
const NOTES = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'HA' + 'CK'].join('|')})\\b`, 'g');
const SWITCHED_TEST = /\b(?:it|test|describe|suite)(?:\.\w+)*\.(?:skip|only|todo|fails)\b/g;
const HOME_PATH = /(?<![\w.])\/(?:home|Users|work)\/[\w.-]+/g;

export function checkLeftovers(files: readonly SourceFile[]): readonly Finding[] {
  return files.flatMap((file) => {
    const { path, text } = file;
    const find = (where: string, pattern: RegExp, message: string) =>
      Array.from(where.matchAll(pattern), (match) => ({
        path,
        line: lineAt(where, match.index),
        message: `${message}: ${match[0]}`,
      }));
    return [
      ...find(text, NOTES, 'a note to oneself'),
      ...find(text, HOME_PATH, 'a path of one machine'),
      ...(isCode(file) && isTest(file)
        ? find(maskCode(text, { keepStrings: false }), SWITCHED_TEST, 'a switched test')
        : []),
    ];
  });
}
