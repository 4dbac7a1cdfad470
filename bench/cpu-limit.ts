/**
 * A control group that may use a share of one processor, as a pod with a CPU limit has it. Needs root. The kernel may offer
 * the limit in version 2 of its interface, or, on machines that still have both, in version 1.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the kubelet sets. */
const PERIOD_US = 100_000;
const REMOVE_TRIES = 50;
const TRY_MS = 20;

interface Mount {
  readonly path: string;
  readonly version: 1 | 2;
}

export interface CpuLimit {
  /** Puts the process with all its threads in. */
  add(pid: number): void;
  /** The processes must have ended. */
  remove(): Promise<void>;
}

/** Undefined where nothing can be limited. `share` is of one processor, above 0. */
export function createCpuLimit(name: string, share: number): CpuLimit | undefined {
  const mount = findMount();
  if (mount === undefined || process.getuid?.() !== 0) return undefined;
  const group = join(mount.path, name);
  const quota = String(Math.round(PERIOD_US * share));
  mkdirSync(group);
  if (mount.version === 2) writeFileSync(join(group, 'cpu.max'), `${quota} ${PERIOD_US}`);
  else {
    writeFileSync(join(group, 'cpu.cfs_period_us'), String(PERIOD_US));
    writeFileSync(join(group, 'cpu.cfs_quota_us'), quota);
  }
  return {
    add: (pid) => writeFileSync(join(group, 'cgroup.procs'), String(pid)),
    async remove() {
      for (let left = REMOVE_TRIES; existsSync(group); left--) {
        try {
          rmdirSync(group);
        } catch (error) {
          // A process that has just ended is still counted for a moment.
          if (left === 0) throw error;
          await sleep(TRY_MS);
        }
      }
    },
  };
}

function findMount(): Mount | undefined {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .map(([, path = '', type = '', options = '']) => ({ path, type, options: options.split(',') }));
  const unified = mounts.find(({ type, path }) => type === 'cgroup2' && hasCpu(path));
  if (unified !== undefined) return { path: unified.path, version: 2 };
  const own = mounts.find(({ type, options }) => type === 'cgroup' && options.includes('cpu'));
  return own && { path: own.path, version: 1 };
}

/** Whether groups below may be limited, or can be allowed to be. */
function hasCpu(path: string): boolean {
  try {
    const control = join(path, 'cgroup.subtree_control');
    if (readFileSync(control, 'utf8').split(/\s+/).includes('cpu')) return true;
    if (!readFileSync(join(path, 'cgroup.controllers'), 'utf8').split(/\s+/).includes('cpu')) return false;
    writeFileSync(control, '+cpu');
    return true;
  } catch {
    return false;
  }
}
