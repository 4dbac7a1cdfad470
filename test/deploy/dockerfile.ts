/** Our Dockerfile as stages and steps, and which files of the tree its context has. No more of the format than ours uses. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = new URL('../../', import.meta.url).pathname;

export interface Step {
  readonly word: string;
  readonly rest: string;
}

export interface Stage {
  readonly from: string;
  readonly name: string;
  readonly steps: readonly Step[];
}

/** Throws for an instruction before the first FROM. */
export function readDockerfile(): readonly Stage[] {
  const lines = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { from: string; name: string; steps: Step[] }[] = [];
  for (const line of lines) {
    const [, word = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (word === 'FROM') {
      const [from = '', name = ''] = rest.split(/\s+AS\s+/);
      stages.push({ from, name, steps: [] });
    } else {
      const stage = stages.at(-1);
      if (stage === undefined || word === '') throw new Error(`Cannot read the Dockerfile: ${line}`);
      stage.steps.push({ word, rest: rest.replace(/\s+/g, ' ').trim() });
    }
  }
  return stages;
}

/** Paths below the root that `docker build` is sent: the last pattern of .dockerignore that matches decides. */
export function contextFiles(): readonly string[] {
  const patterns = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ keep: line.startsWith('!'), matches: matcher(line.replace(/^!/, '')) }));
  const isKept = (path: string) => patterns.findLast(({ matches }) => matches(path))?.keep ?? true;
  const skipped = new Set(['node_modules', '.git']);
  return readdirSync(ROOT)
    .filter((name) => !skipped.has(name))
    .flatMap((name) => below(name))
    .filter(isKept);
}

/** A pattern matches what it names and everything below that. */
function matcher(pattern: string): (path: string) => boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]]/g, '\\$&')
    .replaceAll('**/', '\u0000')
    .replaceAll('*', '[^/]*')
    .replaceAll('\u0000', '(?:.*/)?');
  const expression = new RegExp(`^${source}(?:/.*)?$`);
  return (path) => expression.test(path);
}

function below(name: string): readonly string[] {
  const entries = readdirSync(ROOT, { withFileTypes: true });
  if (entries.find((entry) => entry.name === name)?.isDirectory() !== true) return [name];
  return readdirSync(join(ROOT, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length));
}
