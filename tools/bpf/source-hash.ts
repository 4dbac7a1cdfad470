/** The hash that ties the committed bytecode to its source: whoever edits bpf/ without rebuilding is told. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const BPF_DIRECTORY = join(import.meta.dirname, '../../bpf');

/** SHA-256 over the names and contents of all C files, in the order of their names. */
export function bpfSourceHash(directory = BPF_DIRECTORY): string {
  const hash = createHash('sha256');
  const names = readdirSync(directory).filter((name) => /\.[ch]$/.test(name));
  for (const name of names.sort()) {
    const text = readFileSync(join(directory, name));
    hash.update(`${name}\0${text.length}\0`).update(text);
  }
  return hash.digest('hex');
}
