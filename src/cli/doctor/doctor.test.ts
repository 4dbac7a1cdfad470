/** What scripts go by: 1 is a finding, and everything that kept the doctor from looking is 2. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../boot/zerohop.mjs', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'zh-doctor-'));
afterAll(() => rmSync(directory, { recursive: true }));

function statusOf(args: readonly string[]): number | null {
  return spawnSync(process.execPath, [PROGRAM, 'doctor', ...args], { stdio: 'ignore' }).status;
}

function manifest(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const SERVICE = 'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ port: 80 }] }\n';

it.each([
  { name: 'a flag that there is not', args: ['--bogus'], status: 2 },
  { name: 'a layout that there is not', args: ['-o', 'xml'], status: 2 },
  { name: 'a time too short', args: ['--timeout', '1'], status: 2 },
  { name: 'sound manifests', args: ['-f', manifest('sound.yaml', SERVICE)], status: 0 },
  { name: 'a manifest that says nothing', args: ['-f', manifest('torn.yaml', 'kind: [')], status: 1 },
])(
  'zerohop doctor ends with $status for $name',
  ({ args, status }) => {
    expect(statusOf(args)).toBe(status);
  },
  60_000,
);
