/** What is refused; that good certificates serve is shown by real clients, in `dot.kernel.test.ts` of `serve`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { fakeHost, setUp } from '../fake-host.ts';
import { setup } from './setup.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-tls-'));
writeFileSync(join(directory, 'junk.pem'), 'no certificate');
afterAll(() => rmSync(directory, { recursive: true }));

it.each([
  [
    'no arguments, which would mean ACME',
    'tls',
    'certificates from an ACME server are not built into this server',
  ],
  [
    'a certificate without its key',
    'tls a.pem',
    "Wrong argument count or unexpected line ending after 'a.pem'",
  ],
  ['too many files', 'tls a b c d', "Wrong argument count or unexpected line ending after 'd'"],
  [
    'a file that is missing',
    'tls none.pem junk.pem',
    'could not load TLS certificate: open none.pem: no such file',
  ],
  ['a key that is missing', 'tls junk.pem none.key', 'could not load TLS key: open none.key: no such file'],
  ['a file that holds no certificate', 'tls junk.pem junk.pem', 'could not load TLS cert: '],
  ['two of them', 'tls junk.pem junk.pem\ntls junk.pem junk.pem', 'this plugin can only be used once'],
])('refuses %s', (_name, lines, text) => {
  const host = fakeHost({ directory });
  expect(() => setUp(setup, lines, { host })).toThrow(text);
  expect(() => setUp(setup, lines, { host })).toThrow('plugin/tls: ');
});
