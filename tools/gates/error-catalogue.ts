/** Every `*_ERRORS` object that a folder of src exports, found by loading each errors.ts. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface ErrorEntry {
  readonly code: string;
  readonly cause: string;
  readonly cure: string;
}

export interface ErrorFolder {
  /** `src/kube`. */
  readonly folder: string;
  readonly entries: readonly ErrorEntry[];
}

/** Folders one or two levels below src, in the order of their names. Throws when an errors.ts does not load. */
export async function loadErrorCatalogue(root: string): Promise<readonly ErrorFolder[]> {
  const folders: ErrorFolder[] = [];
  for (const folder of errorFolders(root)) {
    const module: Record<string, unknown> = await import(pathToFileURL(join(root, folder, 'errors.ts')).href);
    const entries = Object.entries(module)
      .filter(([name]) => name.endsWith('_ERRORS'))
      .flatMap(([, value]) => entriesOf(value));
    folders.push({ folder, entries });
  }
  return folders;
}

/** Something malformed becomes an entry with empty texts, which the gate then reports by its code. */
function entriesOf(value: unknown): readonly ErrorEntry[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).map(([code, entry]) => ({
    code,
    cause: textOf(entry, 'cause'),
    cure: textOf(entry, 'cure'),
  }));
}

function textOf(entry: unknown, field: 'cause' | 'cure'): string {
  if (typeof entry !== 'object' || entry === null) return '';
  const text: unknown = Reflect.get(entry, field);
  return typeof text === 'string' ? text : '';
}

function errorFolders(root: string): readonly string[] {
  const below = (folder: string) =>
    readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${folder}/${entry.name}`)
      .sort();
  return below('src')
    .flatMap((folder) => [folder, ...below(folder)])
    .filter((folder) => existsSync(join(root, folder, 'errors.ts')));
}
