/**
 * File names by pattern as Go matches them (dns-server 1.3): `*` and `?` stand for what is within one name, a leading
 * dot included, and every other character for itself. What cannot be listed holds nothing.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** `pattern` is an absolute path. In no order that means anything. */
export function filesMatching(pattern: string): readonly string[] {
  const names = pattern.split('/').filter((name) => name !== '');
  return names
    .reduce<readonly string[]>((found, name) => found.flatMap((path) => below(path, name)), ['/'])
    .filter((path) => existsSync(path));
}

function below(path: string, name: string): readonly string[] {
  if (!/[*?]/.test(name)) return [join(path, name)];
  const literal = name.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  const matcher = new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'su');
  return listed(path)
    .filter((entry) => matcher.test(entry))
    .map((entry) => join(path, entry));
}

function listed(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // Not there, no directory, or not ours to see: Go finds nothing there either.
  }
}
