import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { filesMatching } from './wildcard.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-wildcard-'));
for (const folder of ['custom', 'a{b}', 'other/custom'])
  mkdirSync(join(directory, folder), { recursive: true });
for (const file of [
  'custom/a.override',
  'custom/.b.override',
  'custom/c+.server',
  'a{b}/x.override',
  'other/custom/d',
])
  writeFileSync(join(directory, file), '');
afterAll(() => rmSync(directory, { recursive: true }));

it.each([
  ['custom/*.override', ['custom/.b.override', 'custom/a.override']],
  ['custom/?.override', ['custom/a.override']],
  ['custom/*+.server', ['custom/c+.server']],
  ['custom/*x', []],
  ['a{b}/*.override', ['a{b}/x.override']],
  ['*/a.override', ['custom/a.override']],
  ['nosuch/*', []],
  ['custom/a.override/*', []],
])('%s', (pattern, expected) => {
  const found = filesMatching(join(directory, pattern)).map((path) => path.slice(directory.length + 1));
  expect(found.sort()).toEqual(expected);
});
