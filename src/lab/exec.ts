/** What `kubectl exec`, `logs` and `kill` would do, on the lab's own pods. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../fault/app-error.ts';
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

/** Runs a command in the pod's network, mounts and host name. */
export function execInPod(pod: string, command: readonly string[], options: SpawnOptions): ChildProcess {
  const [file = 'sh', ...args] = command;
  const flags = [`--target=${podPid(pod)}`, '--net', '--mount', '--uts', '--'];
  return spawn('nsenter', [...flags, file, ...args], options);
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

/** Pod names are unique in the lab, so `kube-system/coredns-…` and `coredns-…` are the same. */
function bareName(pod: string): string {
  return pod.split('/').at(-1) ?? pod;
}
