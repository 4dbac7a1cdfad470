/** Real starts of the program: what the second one loads, and whether a changed source is seen. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const scratch = mkdtempSync(join(tmpdir(), 'zerohop-boot-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const BOOT = new URL('zerohop.mjs', import.meta.url).pathname;
/** Runs before the program and tells, at its end, whether Node's stripper was loaded. */
const WITNESS = `data:text/javascript,process.on('exit', () => console.log(process.moduleLoadList.some((name) => name.includes('amaro'))))`;

const start = (boot: string, ...words: string[]) =>
  execFileSync(process.execPath, ['--import', WITNESS, boot, ...words], { encoding: 'utf8', stdio: 'pipe' });

describe('the strip cache', () => {
  it('loads no type stripper at the second start', () => {
    start(BOOT, 'dns', '-version');
    expect(start(BOOT, 'dns', '-version').trim().endsWith('false')).toBe(true);
  });

  it('runs what a source says now, not what it said at an earlier start', () => {
    const root = join(scratch, 'copy');
    cpSync(new URL('.', import.meta.url), join(root, 'src', 'cli', 'boot'), { recursive: true });
    symlinkSync(new URL('../../../node_modules', import.meta.url).pathname, join(root, 'node_modules'));
    writeFileSync(join(root, 'package.json'), '{"type":"module"}');
    const main = join(root, 'src', 'cli', 'main.ts');
    const boot = join(root, 'src', 'cli', 'boot', 'zerohop.mjs');
    for (const word of ['first', 'other']) {
      writeFileSync(main, `const word: string = '${word}';\nconsole.log(word);\n`);
      expect(start(boot).startsWith(word)).toBe(true);
    }
  });
});
