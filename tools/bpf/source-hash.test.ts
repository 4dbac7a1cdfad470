import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FLOOR_OBJECT } from '../../bench/answers/floor-program.gen.ts';
import { DROP_OBJECT } from '../../src/datapath/drops/programs.gen.ts';
import { POD_OBJECT } from '../../src/datapath/kernel/programs.gen.ts';
import { SOCKET_OBJECT } from '../../src/datapath/socket/programs.gen.ts';
import { bpfSourceHash } from './source-hash.ts';

test('the committed bytecode was made from the committed source (else: npm run bpf)', () => {
  expect(POD_OBJECT.sourceHash).toBe(bpfSourceHash());
  expect(DROP_OBJECT.sourceHash).toBe(bpfSourceHash());
  expect(SOCKET_OBJECT.sourceHash).toBe(bpfSourceHash());
  expect(FLOOR_OBJECT.sourceHash).toBe(bpfSourceHash(join(import.meta.dirname, '../../bench/bpf')));
});

test('bpfSourceHash changes with a byte, a name and a file, and with nothing else', () => {
  const hashOf = (files: Record<string, string>) => {
    const directory = mkdtempSync(join(tmpdir(), 'zh-test-hash-'));
    try {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
      return bpfSourceHash(directory);
    } finally {
      rmSync(directory, { recursive: true });
    }
  };
  const first = hashOf({ 'a.h': 'x', 'b.bpf.c': 'y' });
  expect(hashOf({ 'b.bpf.c': 'y', 'a.h': 'x', 'notes.md': 'z' })).toBe(first);
  expect(hashOf({ 'a.h': 'X', 'b.bpf.c': 'y' })).not.toBe(first);
  expect(hashOf({ 'c.h': 'x', 'b.bpf.c': 'y' })).not.toBe(first);
  expect(hashOf({ 'a.h': 'x' })).not.toBe(first);
});
