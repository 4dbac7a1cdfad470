/** Pods of the running lab that ask for names again and again, as users' pods do, with dig. */
import type { ChildProcess } from 'node:child_process';
import { execInPod } from '../../src/lab/exec.ts';

const ASK = 'while :; do dig +time=1 +tries=1 "$@" > /dev/null; sleep "$EVERY"; done';

export interface Asking {
  stop(): void;
}

/** All of the names, then a pause, over and over. Names are as dig takes them: `\\DDD` is a byte. */
export function keepAsking(pod: string, names: readonly string[], everySeconds: number): Asking {
  const child: ChildProcess = execInPod(pod, ['sh', '-c', ASK, 'sh', ...names], {
    ...{ stdio: 'ignore', detached: true },
    env: { ...process.env, EVERY: String(everySeconds) },
  });
  return {
    stop() {
      // The shell and what it runs: a group of its own. It may have ended with its pod.
      if (child.exitCode !== null || child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Gone between the two.
      }
    },
  };
}
