/**
 * Which files a lint reads: those named, and every YAML and JSON below the folders named. Bounded in number, depth and
 * size, so that a wrong path costs a message and not a machine. Links inside of folders are not followed.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { errorText } from '../../fault/app-error.ts';
import type { SiteTrouble } from '../site/site.ts';

export interface ManifestFile {
  readonly file: string;
  readonly text: string;
}

export interface ManifestFiles {
  readonly files: readonly ManifestFile[];
  readonly troubles: readonly SiteTrouble[];
}

export interface FileLimits {
  readonly files: number;
  readonly bytesEach: number;
  readonly bytes: number;
  readonly depth: number;
}

/** A rendered chart of a large cluster is some megabytes in some hundred files. */
export const FILE_LIMITS: FileLimits = {
  files: 5_000,
  bytesEach: 8 * 1024 * 1024,
  bytes: 64 * 1024 * 1024,
  depth: 16,
};

const ENDINGS = ['.yaml', '.yml', '.json'];

/** Never throws: what cannot be read is a trouble. */
export function manifestFiles(paths: readonly string[], limits: FileLimits = FILE_LIMITS): ManifestFiles {
  const walk: Walk = { limits, files: [], troubles: [], bytes: 0, full: false };
  for (const path of paths) visit(walk, path, 0);
  return walk;
}

interface Walk {
  readonly limits: FileLimits;
  readonly files: ManifestFile[];
  readonly troubles: SiteTrouble[];
  bytes: number;
  full: boolean;
}

function visit(walk: Walk, path: string, depth: number): void {
  if (walk.full) return;
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) visitFolder(walk, path, depth);
    else if (stat.isFile()) readFile(walk, path, stat.size);
    else refuse(walk, path, 'it is neither a file nor a folder');
  } catch (error) {
    refuse(walk, path, errorText(error));
  }
}

function visitFolder(walk: Walk, path: string, depth: number): void {
  if (depth > walk.limits.depth) {
    refuse(walk, path, `folders are nested deeper than ${walk.limits.depth}`);
    return;
  }
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const wanted =
      entry.isDirectory() || (entry.isFile() && ENDINGS.includes(extname(entry.name).toLowerCase()));
    if (wanted && entry.name !== 'node_modules' && !entry.name.startsWith('.')) {
      visit(walk, join(path, entry.name), depth + 1);
    }
  }
}

function readFile(walk: Walk, path: string, size: number): void {
  const { files, bytesEach, bytes } = walk.limits;
  if (size > bytesEach) {
    refuse(walk, path, `it has ${size} bytes, more than the ${bytesEach} that are read of one file`);
    return;
  }
  if (walk.files.length >= files || walk.bytes + size > bytes) {
    walk.full = true;
    refuse(walk, path, `no more is read: ${walk.files.length} files and ${walk.bytes} bytes were`);
    return;
  }
  const text = readFileSync(path, 'utf8');
  walk.bytes += size;
  walk.files.push({ file: path, text });
}

function refuse(walk: Walk, path: string, reason: string): void {
  walk.troubles.push({ subject: path, reason, place: { file: path, line: 1, column: 1 } });
}
