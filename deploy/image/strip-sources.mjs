// At build time: strips the types of every source file, so that a container whose file system cannot be written starts
// as fast as one that could keep them by itself.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { strippedOf } from '../../src/cli/boot/strip-cache.mjs';

const SOURCES = new URL('../../src/', import.meta.url).pathname;

for (const entry of readdirSync(SOURCES, { recursive: true, withFileTypes: true })) {
  if (entry.name.endsWith('.ts')) strippedOf(readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}
