/** A lock that a real process holds and another waits for: /proc/locks tells of processes of the same machine. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readFileLock } from './file-lock.ts';

test('readFileLock tells holders from those that wait', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'zh-test-lock-'));
  const path = join(directory, 'lock');
  expect(readFileLock(path)).toEqual({ path, holders: [], waiting: [] });
  writeFileSync(path, '');
  const children = [0, 1].map(() =>
    spawn('flock', ['--no-fork', path, 'sleep', '1000'], { stdio: 'ignore' }),
  );
  try {
    const seen = () => {
      const { holders, waiting } = readFileLock(path);
      return [holders.length, waiting.length];
    };
    await expect.poll(seen).toEqual([1, 1]);
    const { holders, waiting } = readFileLock(path);
    expect([...holders, ...waiting].sort()).toEqual(children.map(({ pid }) => pid).sort());
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  }
});
