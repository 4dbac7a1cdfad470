import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isOfInterest, readProcesses } from './processes.ts';

test('readProcesses sees a node-cache with its arguments, and not when it is gone', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'zh-test-processes-'));
  const file = join(directory, 'node-cache');
  copyFileSync('/bin/sleep', file);
  const child = spawn(file, ['1000'], { stdio: 'ignore' });
  try {
    await new Promise((resolve) => child.once('spawn', resolve));
    const found = () => readProcesses().find(({ pid }) => pid === child.pid);
    // The kernel gives it its name before its arguments.
    await expect.poll(found).toMatchObject({ command: 'node-cache', args: [file, '1000'] });
    expect(Math.abs((found()?.startedAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(found()?.memory?.used).toBeGreaterThan(0);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    expect(found()).toBeUndefined();
  } finally {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  }
});

test.each([
  { command: 'coredns', args: ['/coredns', '-conf', '/x'], is: true },
  { command: 'exe', args: ['/usr/local/bin/kube-proxy'], is: true },
  {
    command: 'MainThread',
    args: ['/usr/bin/node', '--no-warnings', '/opt/zerohop/bin/zerohop.ts', 'agent'],
    is: true,
  },
  { command: 'sh', args: ['sh', '-c', 'coredns'], is: false },
  { command: 'node', args: ['node', '-e', 'x'], is: false },
  { command: 'kthreadd', args: [''], is: false },
])('isOfInterest says $is to $args', ({ command, args, is }) => {
  expect(isOfInterest(command, args)).toBe(is);
});
