/** Who holds a file's lock and who waits for it: /proc/locks. For the lock of iptables, which everybody queues for. */
import { readFileSync, statSync } from 'node:fs';
import type { LockFact } from '../node-facts.ts';

/** Nobody where there is no such file. */
export function readFileLock(path: string): LockFact {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return { path, holders: [], waiting: [] };
  return { path, ...parseLocks(readFileSync('/proc/locks', 'utf8'), status.ino) };
}

/** Lines of waiters have an arrow. The device is not compared: overlays tell it differently; inodes suffice for one path. */
export function parseLocks(text: string, inode: number): Omit<LockFact, 'path'> {
  const holders: number[] = [];
  const waiting: number[] = [];
  for (const line of text.split('\n')) {
    const match = /^\d+:( ->)? +\w+ +\w+ +\w+ +(-?\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line);
    if (match === null || Number(match[3]) !== inode) continue;
    (match[1] === undefined ? holders : waiting).push(Number(match[2]));
  }
  return { holders, waiting };
}
