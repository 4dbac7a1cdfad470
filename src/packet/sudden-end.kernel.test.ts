/** A process that ends while its packet thread is still starting: seen with the real program, many times over. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const PROGRAM = new URL('../cli/boot/zerohop.mjs', import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), 'zerohop-sudden-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const RUNS = 48;
const AT_ONCE = 4;

async function exitOf(corefile: string): Promise<string> {
  const child = spawn(process.execPath, [PROGRAM, 'dns', '-conf', corefile, '-dns.port', '0'], {
    stdio: 'ignore',
  });
  const [code, signal] = await once(child, 'exit');
  return signal === null ? `exit ${code}` : signal;
}

it('a wrong Corefile ends with exit code 1, never by a signal, however far the thread has come', {
  timeout: 180_000,
}, async () => {
  const corefile = join(scratch, 'Corefile');
  writeFileSync(corefile, '. {\n  kubernetes cluster.local {\n    nosuch\n  }\n}\n');
  const ends: string[] = [];
  for (let run = 0; run < RUNS; run += AT_ONCE) {
    ends.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => exitOf(corefile)))));
  }
  expect(new Set(ends)).toEqual(new Set(['exit 1']));
});
