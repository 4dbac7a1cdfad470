/** The lab leaves nothing behind, whatever ends it and whenever. Real namespaces, real signals; needs root. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findCgroup2 } from '../../src/lab/cgroup.ts';
import { assertLabPossible } from '../../src/lab/preflight.ts';
import { MAIN, startLab, untilSays, untilUp, zerohop } from './running-lab.ts';

const START = join(import.meta.dirname, '../../tools/start.mjs');

/** Everything on the machine that carries the lab's name. */
function leftovers(): string[] {
  const namespaces = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout;
  const links = spawnSync('ip', ['-o', 'link'], { encoding: 'utf8' }).stdout;
  const mounts = readFileSync('/proc/self/mounts', 'utf8');
  const cgroup = join(findCgroup2() ?? '', 'zerohop-lab');
  return [
    ...lines(namespaces, /^zerohop-/),
    ...lines(links, /: (lxc|zerohop|k8s-)/),
    ...lines(mounts, /zerohop/),
    ...['/run/zerohop/lab', '/run/zerohop/lab.owner', cgroup].filter((path) => existsSync(path)),
    ...labProcesses(),
  ];
}

const lines = (text: string, pattern: RegExp) => text.split('\n').filter((line) => pattern.test(line));

/** A process of the lab runs this program, or waits for it, in a network namespace that is not the machine's own. */
function labProcesses(): string[] {
  const own = readlinkSync('/proc/self/ns/net');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => unlessGone(() => readlinkSync(`/proc/${pid}/ns/net`)) !== own)
    .map((pid) => unlessGone(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')))
    .filter((line) => line.includes(MAIN) || line.startsWith('sleep infinity'));
}

/** A process may end while it is looked at. */
function unlessGone(look: () => string): string {
  try {
    return look();
  } catch {
    return readlinkSync('/proc/self/ns/net');
  }
}

describe('the lab', { timeout: 300_000 }, () => {
  beforeAll(() => assertLabPossible());
  afterEach(() => {
    zerohop('lab', 'down');
  });

  test.each([50, 300, 900, 2_500])('is gone after Ctrl-C %i ms into its start', async (delayMs) => {
    const lab = startLab();
    await sleep(delayMs);
    lab.child.kill('SIGINT');
    await lab.ended;
    expect(leftovers()).toEqual([]);
  });

  test('is gone after Ctrl-C when it is up, and its exit code is 0', async () => {
    const lab = startLab();
    await untilUp(lab);
    expect(leftovers()).not.toEqual([]);
    lab.child.kill('SIGINT');
    expect(await lab.ended).toBe(0);
    expect(leftovers()).toEqual([]);
  });

  test('is cleared away by lab down after its foreground was killed', async () => {
    const lab = startLab();
    await untilUp(lab);
    lab.child.kill('SIGKILL');
    await lab.ended;
    expect(leftovers()).not.toEqual([]);
    expect(zerohop('lab', 'down').status).toBe(0);
    expect(leftovers()).toEqual([]);
  });

  test('is cleared away by the next start after its foreground was killed half way', async () => {
    const crashed = startLab();
    await sleep(1_200);
    crashed.child.kill('SIGKILL');
    await crashed.ended;
    const next = startLab();
    await untilUp(next);
    next.child.kill('SIGTERM');
    await next.ended;
    expect(leftovers()).toEqual([]);
  });

  test('is gone after Ctrl-C in the middle of an act, without waiting for the load to end', async () => {
    const story = startLab('story');
    await untilSays(story, 'Act 5');
    await sleep(1_500);
    story.child.kill('SIGINT');
    expect(await story.ended).toBe(130);
    expect(story.output()).not.toContain('slowest');
    expect(leftovers()).toEqual([]);
  });

  test('refuses to come up twice, and the first goes on', async () => {
    const lab = startLab();
    await untilUp(lab);
    const second = zerohop('lab', 'up');
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/Cannot bring up the lab: it is already up, run by process \d+/);
    expect(zerohop('lab', 'exec', 'netshoot', '--', 'hostname').stdout).toBe('netshoot\n');
    lab.child.kill('SIGINT');
    expect(await lab.ended).toBe(0);
  });
});

test('npm start says in one sentence that it needs root, and touches nothing', () => {
  // A user namespace without a map: the process is not root in its own eyes, but may still read the program.
  const result = spawnSync('unshare', ['--user', process.execPath, START], {
    encoding: 'utf8',
    timeout: 50_000,
  });
  expect(result.status).toBe(1);
  expect(result.stderr.trim().split('\n')).toEqual([
    expect.stringMatching(/^Cannot run the lab: .* needs root/),
  ]);
  expect(leftovers()).toEqual([]);
});
