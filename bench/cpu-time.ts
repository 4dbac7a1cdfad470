/**
 * The processor time of a process in nanoseconds, as the scheduler counts it: exact whenever the process is not running.
 * `/proc/PID/stat`, which grows by 10 ms, is used where the kernel was built without that count.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ is 100 on every Linux that Node runs on. */
const TICK_NANOS = 10_000_000;

/** All threads that live; those that have ended are not counted. */
export function cpuNanos(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const spent = threads.reduce((sum, thread) => sum + threadNanos(pid, thread), 0);
  return spent > 0 ? spent : ticks(pid) * TICK_NANOS;
}

/** 0 for a thread that ended a moment ago. */
function threadNanos(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  } catch {
    return 0;
  }
}

function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything; the state, field 3, stands behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
