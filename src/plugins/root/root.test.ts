import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { fakeHost, setUp } from '../fake-host.ts';
import { setup } from './setup.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-root-'));
writeFileSync(join(directory, 'file'), '');
afterAll(() => rmSync(directory, { recursive: true }));

it('moves the start of relative paths, itself relative to where the server was started', () => {
  const host = fakeHost({ directory: '/' });
  expect(setUp(setup, `root ${directory.slice(1)}`, { host })).toEqual({ directory });
  expect(host.lines).toEqual([]);
});

it('warns of a directory that does not exist, which may be mounted later', () => {
  const host = fakeHost();
  expect(setUp(setup, `root ${directory}/later`, { host })).toEqual({ directory: `${directory}/later` });
  expect(host.lines).toEqual([`[WARNING] Root path does not exist: ${directory}/later`]);
});

it.each([
  ['root', "Wrong argument count or unexpected line ending after 'root'"],
  [`root ${directory}/file/below`, 'unable to access root path'],
])('refuses %j', (lines, text) => {
  expect(() => setUp(setup, lines)).toThrow(text);
});
