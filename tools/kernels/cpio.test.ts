import { expect, test } from 'vitest';
import { encodeCpio, type TreeEntry } from './cpio.ts';

const text = (value: string) => new TextEncoder().encode(value);

interface Unpacked {
  readonly path: string;
  readonly mode: string;
  readonly content: string;
}

/** By the description of the format: a header of 6 + 13 x 8 characters, name, content, each padded to four. */
function unpack(archive: Buffer): readonly Unpacked[] {
  const found: Unpacked[] = [];
  for (let at = 0; ; ) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + 8 * index, at + 14 + 8 * index), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const path = archive.toString('utf8', at + 110, at + 110 + nameSize - 1);
    const begin = Math.ceil((at + 110 + nameSize) / 4) * 4;
    if (path === 'TRAILER!!!') return found;
    found.push({ path, mode: mode.toString(8), content: archive.toString('utf8', begin, begin + size) });
    at = Math.ceil((begin + size) / 4) * 4;
  }
}

const TREE: readonly TreeEntry[] = [
  { path: 'init', content: text('#!/bin/sh\n'), executable: true },
  { path: 'usr/lib/zürich', content: text('seven b'), executable: false },
  { path: 'usr', directory: true },
  { path: 'bin', linkTo: 'usr/bin' },
  { path: 'proc', directory: true },
];

test('an archive holds every entry, and directories before what is in them', () => {
  expect(unpack(Buffer.concat(encodeCpio(TREE)))).toEqual([
    { path: 'init', mode: '100755', content: '#!/bin/sh\n' },
    { path: 'usr', mode: '40755', content: '' },
    { path: 'usr/lib', mode: '40755', content: '' },
    { path: 'usr/lib/zürich', mode: '100644', content: 'seven b' },
    { path: 'bin', mode: '120777', content: 'usr/bin' },
    { path: 'proc', mode: '40755', content: '' },
  ]);
});

test.each(['/etc/passwd', '../up', 'a//b', './a', '', 'a/'])('refuses the path %j', (path) => {
  expect(() => encodeCpio([{ path, directory: true }])).toThrow('the path is not a relative one');
});

test('refuses a path that is there twice', () => {
  const entry = { path: 'a', content: text(''), executable: false };
  expect(() => encodeCpio([entry, entry])).toThrow(
    'Cannot write an archive: the path is there twice: received a',
  );
});

test('all of it is made of four-byte units, whatever the lengths', () => {
  for (let length = 0; length < 9; length++) {
    const entries = [{ path: 'x'.repeat(length + 1), content: new Uint8Array(length), executable: false }];
    expect(Buffer.concat(encodeCpio(entries)).length % 4).toBe(0);
  }
});
