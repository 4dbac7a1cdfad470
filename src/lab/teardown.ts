/**
 * Takes away everything a lab leaves: processes, namespaces (with their interfaces and rules), mounts with the pinned
 * maps, cgroups, files. It works from what it finds on the machine, so it also clears up after a crash.
 */
import { existsSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeLabCgroup } from './cgroup.ts';
import { runCommand, tryCommand } from './command.ts';
import { labNamespaces } from './network.ts';
import { releaseLab } from './owner.ts';
import { LAB_DIRECTORY, LAB_PATHS } from './topology.ts';

/** The end of a lab: nothing is left, and another may come up. Idempotent. */
export async function tearDown(): Promise<void> {
  await clearAway();
  releaseLab();
  removeIfEmpty('/run/zerohop');
}

/** What an earlier lab left, while the claim on this one stands. Throws when something cannot be removed, naming it. */
export async function clearAway(): Promise<void> {
  await removeLabCgroup();
  const namespaces = await labNamespaces();
  await Promise.all(namespaces.map((name) => runCommand('ip', ['netns', 'del', name])));
  for (const mount of [LAB_PATHS.bpf, LAB_DIRECTORY]) await unmount(mount);
  rmSync(LAB_DIRECTORY, { recursive: true, force: true });
}

/** A mount may be busy for a moment while the last process that used it is being reaped. */
async function unmount(path: string): Promise<void> {
  for (let attempt = 0; isMounted(path) && attempt < 20; attempt++) {
    if ((await tryCommand('umount', [path])) === undefined) await sleep(50);
  }
  if (isMounted(path)) await runCommand('umount', ['--lazy', path]);
}

function isMounted(path: string): boolean {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === path);
}

function removeIfEmpty(directory: string): void {
  try {
    if (existsSync(directory)) rmdirSync(directory);
  } catch {
    // Not empty: an agent of this machine keeps its socket there, and it is not ours to remove.
  }
}
