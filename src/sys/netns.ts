/** Network namespaces of this thread. */
import { closeSync, openSync } from 'node:fs';
import { checkCall } from './errors.ts';
import { openLibc } from './libc.ts';

const CLONE_NEWNET = 0x40000000;

/**
 * Runs `act` in the namespace at `path` (/run/netns/x, /proc/PID/ns/net). A namespace is the thread's, so `act` must be
 * synchronous: anything awaited would go on in the wrong one.
 */
export function inNetns<T>(path: string, act: () => T): T {
  const libc = openLibc();
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const target = openSync(path, 'r');
    try {
      checkCall(`enter the network namespace ${path}`, libc.setns(target, CLONE_NEWNET));
    } finally {
      closeSync(target);
    }
    try {
      return act();
    } finally {
      checkCall('return to the network namespace', libc.setns(home, CLONE_NEWNET));
    }
  } finally {
    closeSync(home);
  }
}
