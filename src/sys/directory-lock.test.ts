import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockDirectory } from './directory-lock.ts';

test('lockDirectory gives a directory to one holder at a time', () => {
  const directory = mkdtempSync(join(tmpdir(), 'zh-test-lock-'));
  const release = lockDirectory(directory);
  expect(release).toBeTypeOf('function');
  expect(lockDirectory(directory)).toBeUndefined();
  release?.();
  const again = lockDirectory(directory);
  expect(again).toBeTypeOf('function');
  again?.();
  rmdirSync(directory);
});
