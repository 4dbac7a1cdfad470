/**
 * Every process of the lab lives in a cgroup of the lab, so that all of them, and only they, can be found and ended,
 * also by the next start after a crash. Works on a pure cgroup v2 machine and on one with v2 mounted beside v1.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../fault/app-error.ts';

const LAB_CGROUP = 'zerohop-lab';
const KILL_DEADLINE_MS = 5_000;

/** The mount point of the cgroup v2 hierarchy, or nothing. `mounts` is the text of /proc/self/mounts. */
export function findCgroup2(mounts = readFileSync('/proc/self/mounts', 'utf8')): string | undefined {
  const line = mounts.split('\n').find((mount) => mount.split(' ')[2] === 'cgroup2');
  return line?.split(' ')[1];
}

function labCgroup(): string {
  const root = findCgroup2();
  if (root === undefined) {
    throw new AppError('LAB_NO_CGROUP2', 'Cannot make a cgroup for the lab: cgroup v2 is not mounted', {
      hint: 'mount -t cgroup2 none /sys/fs/cgroup/unified',
    });
  }
  return join(root, LAB_CGROUP);
}

/** The cgroup of one pod or daemon; made if missing. */
export function makeCgroup(...path: readonly string[]): string {
  const directory = join(labCgroup(), ...path);
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Ends every process in the lab's cgroup and removes it. Nothing happens when there is none. */
export async function removeLabCgroup(): Promise<void> {
  const root = findCgroup2();
  if (root === undefined) return;
  await removeCgroup(join(root, LAB_CGROUP));
}

/** Kills what is inside, waits until the kernel says it is empty, and removes it from the leaves up. */
export async function removeCgroup(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  const deadline = performance.now() + KILL_DEADLINE_MS;
  killAll(directory);
  while (/^populated 1$/m.test(readFileSync(join(directory, 'cgroup.events'), 'utf8'))) {
    if (performance.now() > deadline) {
      throw new AppError('LAB_PROCESS_STUCK', `Cannot end the processes in ${directory}: they do not die`);
    }
    await sleep(10);
    // A process that was started a moment ago may have joined after the others were killed.
    killAll(directory);
  }
  removeTree(directory);
}

/** cgroup.kill came with Linux 5.14; before that each process is ended by its pid. */
function killAll(directory: string): void {
  const kill = join(directory, 'cgroup.kill');
  if (existsSync(kill)) {
    writeFileSync(kill, '1');
    return;
  }
  for (const child of subdirectories(directory)) killAll(child);
  for (const pid of readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
    process.kill(Number(pid), 'SIGKILL');
  }
}

function removeTree(directory: string): void {
  for (const child of subdirectories(directory)) removeTree(child);
  rmdirSync(directory);
}

function subdirectories(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
}
