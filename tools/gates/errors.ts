/**
 * docs/errors.md says exactly what the errors.ts files say, every code means one thing, and no code is used that is
 * not listed. Run as a program, with `--write`, it writes the document anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ErrorFolder, loadErrorCatalogue } from './error-catalogue.ts';
import { maskCode } from './mask.ts';
import { type Finding, formatFinding, isCode, isTest, lineAt, type SourceFile } from './source-file.ts';

export const ERRORS_DOCUMENT = 'docs/errors.md';

const CODE = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;
const USE = /\bnew AppError\(\s*'([^']*)'/g;
const HEADING = /^### (\S+)$/gm;

/** The whole text of docs/errors.md. */
export function formatErrorDocument(catalogue: readonly ErrorFolder[]): string {
  const sections = catalogue
    .filter(({ entries }) => entries.length > 0)
    .map(({ folder, entries }) => {
      const items = entries.map(
        ({ code, cause, cure }) => `### ${code}\n\nCause: ${sentence(cause)}\n\nCure: ${sentence(cure)}\n`,
      );
      return `## ${folder}\n\n${items.join('\n')}`;
    });
  return `# Errors

Every failure that an operator can meet has a code, which stays when its wording changes. This page is written by
\`npm run fix\` from the \`errors.ts\` of each folder.

${sections.join('\n')}`;
}

export function checkErrors(
  files: readonly SourceFile[],
  catalogue: readonly ErrorFolder[],
): readonly Finding[] {
  return [...checkCatalogue(catalogue), ...checkUses(files, catalogue), ...checkDocument(files, catalogue)];
}

function checkCatalogue(catalogue: readonly ErrorFolder[]): readonly Finding[] {
  const seen = new Map<string, string>();
  return catalogue.flatMap(({ folder, entries }) =>
    entries.flatMap(({ code, cause, cure }) => {
      const messages: string[] = [];
      const before = seen.get(code);
      if (before !== undefined) messages.push(`${code} stands in ${before} already`);
      seen.set(code, folder);
      if (!CODE.test(code)) messages.push(`${code} is not UPPER_SNAKE`);
      if (cause === '' || cure === '') messages.push(`${code} lacks its cause or its cure`);
      return messages.map((message) => ({ path: `${folder}/errors.ts`, message }));
    }),
  );
}

function checkUses(files: readonly SourceFile[], catalogue: readonly ErrorFolder[]): readonly Finding[] {
  const listed = new Set(catalogue.flatMap(({ entries }) => entries.map(({ code }) => code)));
  return files
    .filter((file) => file.path.startsWith('src/') && isCode(file) && !isTest(file))
    .flatMap(({ path, text }) => {
      const code = maskCode(text, { keepStrings: true });
      return Array.from(code.matchAll(USE))
        .filter((match) => !listed.has(match[1] ?? ''))
        .map((match) => ({
          path,
          line: lineAt(code, match.index),
          message: `error code ${match[1]} is in no errors.ts`,
        }));
    });
}

/** Names the codes that are missing or too many; a difference of wording is said once. */
function checkDocument(files: readonly SourceFile[], catalogue: readonly ErrorFolder[]): readonly Finding[] {
  const say = (message: string): Finding => ({ path: ERRORS_DOCUMENT, message });
  const document = files.find(({ path }) => path === ERRORS_DOCUMENT)?.text ?? '';
  const codes = new Set(catalogue.flatMap(({ entries }) => entries.map(({ code }) => code)));
  const documented = new Set(Array.from(document.matchAll(HEADING), (match) => match[1] ?? ''));
  const findings = [
    ...[...codes].filter((code) => !documented.has(code)).map((code) => say(`${code} is missing`)),
    ...[...documented].filter((code) => !codes.has(code)).map((code) => say(`${code} exists no more`)),
  ];
  if (findings.length > 0 || document === formatErrorDocument(catalogue)) return findings;
  return [say('the text differs from the errors.ts files: run npm run fix')];
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Writes the document if it differs; true if it did. */
export async function writeErrorDocument(root: string): Promise<boolean> {
  const path = join(root, ERRORS_DOCUMENT);
  const text = formatErrorDocument(await loadErrorCatalogue(root));
  if (readIfPresent(path) === text) return false;
  writeFileSync(path, text);
  return true;
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '../..');
  if (process.argv.includes('--write')) await writeErrorDocument(root);
  else {
    const { loadTree } = await import('./source-file.ts');
    const findings = checkErrors(loadTree(root), await loadErrorCatalogue(root));
    for (const finding of findings) console.error(formatFinding(finding));
    process.exitCode = findings.length === 0 ? 0 : 1;
  }
}
