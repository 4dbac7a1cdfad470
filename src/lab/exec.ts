/** What `kubectl exec`, `logs` and `kill` would do, on the lab's own pods. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../fault/app-error.ts';
import { findCgroup2 } from './cgroup.ts';
import { logPath } from './node/container.ts';
import { podDirectory } from './topology.ts';

/** The pid of the pod's container as it is now; throws LAB_POD when there is no such pod or it is not running. */
export function podPid(pod: string): number {
  let text: string;
  try {
    text = readFileSync(join(podDirectory(bareName(pod)), 'pid'), 'utf8');
    readFileSync(`/proc/${text}/stat`);
  } catch (cause) {
    throw new AppError('LAB_POD', `Cannot reach pod ${pod}: it is not running`, {
      cause,
      hint: 'Is the lab up? npx zerohop lab up; its pods are netshoot, curl-pod, coredns-…, node-local-dns-…',
    });
  }
  return Number(text);
}

/** Joins the cgroup first, so that the command ends with the pod, whoever started it. */
const JOIN_CGROUP = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"';

/** Runs a command in the pod's network, mounts, host name and cgroup. */
export function execInPod(pod: string, command: readonly string[], options: SpawnOptions): ChildProcess {
  const pid = podPid(pod);
  const flags = [`--target=${pid}`, '--net', '--mount', '--uts', '--'];
  return spawn('nsenter', [...flags, 'sh', '-c', JOIN_CGROUP, 'sh', cgroupOf(pid), ...command], options);
}

/** The cgroup v2 directory of a process: the line of /proc/PID/cgroup that begins with `0::`. */
function cgroupOf(pid: number): string {
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '';
  return join(findCgroup2() ?? '', path);
}

/** `kill -9` of the pod's process: nothing of it is asked, nothing of it can answer. Returns the pid that was killed. */
export function killPod(pod: string): number {
  const pid = podPid(pod);
  process.kill(pid, 'SIGKILL');
  return pid;
}

export function podLog(pod: string): string {
  try {
    return readFileSync(logPath(bareName(pod)), 'utf8');
  } catch (cause) {
    throw new AppError('LAB_POD', `Cannot read the log of ${pod}: there is none`, { cause });
  }
}

/** For an error that takes the lab, and the log with it, away. */
export function lastWords(name: string): string {
  try {
    return `The last words of ${name}: ${podLog(name).trimEnd().split('\n').slice(-3).join(' | ')}`;
  } catch {
    // It did not get so far as to have a log.
    return `${name} has not said a word.`;
  }
}

/** Pod names are unique in the lab, so `kube-system/coredns-…` and `coredns-…` are the same. */
function bareName(pod: string): string {
  return pod.split('/').at(-1) ?? pod;
}
