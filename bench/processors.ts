/**
 * Who runs where. With two processors or more, the server has the first and everybody else the second, so that the two do
 * not push each other around; with one, or without `taskset`, all share.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

export type Place = 'server' | 'load' | 'anywhere';

/** The same command, kept to its processor; it keeps its process id. */
export function placed({ command, args }: Command, place: Place): Command {
  const [server, load] = ALLOWED;
  if (place === 'anywhere' || load === undefined || server === undefined || !HAS_TASKSET)
    return { command, args };
  return { command: 'taskset', args: ['-c', String(place === 'server' ? server : load), command, ...args] };
}

export function processorCount(): number {
  return ALLOWED.length;
}

const ALLOWED = allowedProcessors();
const HAS_TASKSET = spawnSync('taskset', ['-V'], { stdio: 'ignore' }).error === undefined;

/** A container may have been given other processors than the first ones. */
function allowedProcessors(): readonly number[] {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
