/** The program's version, from the one place that says it. */
import { readFileSync } from 'node:fs';

const MANIFEST = new URL('../../package.json', import.meta.url);

export const PROGRAM_VERSION: string = readVersion(JSON.parse(readFileSync(MANIFEST, 'utf8')));

function readVersion(manifest: unknown): string {
  const { version } = manifest as { readonly version?: unknown };
  return typeof version === 'string' ? version : '0.0.0';
}
