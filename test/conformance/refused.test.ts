/**
 * Corefiles and flags that must be refused, each by the real program: exit code 1, the one line an operator reads, and
 * nothing listening. The files of `refused/` hold them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface RefusedCase {
  readonly name: string;
  /** The text of a file called `Corefile`, or of the flag `-conf` when `flags` name it. */
  readonly corefile?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** A line of the output; `*` stands for any letters. */
  readonly error: string;
  /** Default 1. */
  readonly exit?: number;
}

interface RefusedFile {
  readonly about: string;
  readonly cases: readonly RefusedCase[];
}

const PROGRAM = new URL('../../src/cli/boot/zerohop.mjs', import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), 'zerohop-refused-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const files = globSync(new URL('refused/*.yaml', import.meta.url).pathname).sort();

describe.each(files.map((path) => ({ name: basename(path, '.yaml'), path })))('refused/$name', ({ path }) => {
  const { cases }: RefusedFile = parse(readFileSync(path, 'utf8'));
  it.concurrent.each(cases)('$name', async (each) => {
    const { code, output } = await run(each);
    const lines = output.split('\n');
    const pattern = new RegExp(`^${each.error.split('*').map(literal).join('.*')}$`);
    expect(lines, output).toContainEqual(expect.stringMatching(pattern));
    expect(code).toBe(each.exit ?? 1);
  });
});

async function run({ corefile, files: own = {}, flags = [] }: RefusedCase) {
  const directory = mkdtempSync(join(scratch, 'case-'));
  const all = { ...own, ...(corefile !== undefined && { Corefile: corefile }) };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  const conf = flags.some((flag) => flag.startsWith('-conf')) ? [] : ['-conf', 'Corefile'];
  const child = spawn(process.execPath, [PROGRAM, 'dns', ...conf, '-dns.port', '0', ...flags], {
    cwd: directory,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  // One that starts after all is ended, and shows by its exit code.
  const killer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const [code] = await once(child, 'close');
  clearTimeout(killer);
  return { code, output };
}

function literal(text: string): string {
  return text.replace(/[\\^$.|?+()[\]{}]/g, '\\$&');
}
