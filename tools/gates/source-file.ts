/**
 * What a gate reads and says. A gate is a function from files to findings, so that a test can hand it a sample that
 * must fail; only `loadTree` touches the disk. It takes the tree as it stands, committed or not.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Finding {
  readonly path: string;
  /** From 1, where there is a line to point at. */
  readonly line?: number;
  readonly message: string;
}

export type Gate = (files: readonly SourceFile[]) => readonly Finding[];

const ROOTS = ['src', 'tools', 'test', 'bench', 'docs'];
const EXTENSIONS = ['.ts', '.mjs', '.md', '.json'];
/** Files of the root folder that gates ask about. */
const ROOT_FILES = ['package.json', 'README.md'];

export function loadTree(root: string): readonly SourceFile[] {
  return [...ROOT_FILES, ...ROOTS.flatMap((folder) => listFiles(root, folder))].flatMap((path) => {
    const text = readIfPresent(join(root, path));
    return text === undefined ? [] : [{ path, text }];
  });
}

/** Code of ours: no generated file, no documents. */
export function isCode({ path }: SourceFile): boolean {
  return /\.(ts|mjs)$/.test(path) && !path.endsWith('.gen.ts');
}

/** Tests and what only tests import: folders called `testing`, conformance suites, files called `test-…`. */
export function isTest({ path }: Pick<SourceFile, 'path'>): boolean {
  return /\.test\.ts$|^test\/|\/testing\/|[/-]conformance\.ts$|\/test-[^/]+\.ts$/.test(path);
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

export function formatFinding({ path, line, message }: Finding): string {
  return `${path}${line === undefined ? '' : `:${line}`}: ${message}`;
}

function listFiles(root: string, folder: string): string[] {
  let entries: ReturnType<typeof readFolder>;
  try {
    entries = readFolder(join(root, folder));
  } catch {
    // A folder that does not exist (yet) has no files.
    return [];
  }
  return entries
    .filter((entry) => entry.name !== 'node_modules')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return listFiles(root, path);
      return EXTENSIONS.some((extension) => path.endsWith(extension)) ? [path] : [];
    });
}

function readFolder(path: string) {
  return readdirSync(path, { withFileTypes: true });
}

/** An editor may replace a file between the listing and the reading. */
function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
