/** One lab at a time: who runs it is written down, with the process's start time, since pids come round again. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '../fault/app-error.ts';
import { OWNER_FILE } from './topology.ts';

export interface LabOwner {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot. */
  readonly startedTicks: string;
}

/** Undefined when nobody runs the lab; what is left of it may then be cleared away. */
export function liveOwner(): LabOwner | undefined {
  const [pid = '', startedTicks = ''] = readIfThere(OWNER_FILE).trim().split(' ');
  return startedTicks !== '' && startTicks(pid) === startedTicks
    ? { pid: Number(pid), startedTicks }
    : undefined;
}

/** Throws LAB_RUNNING while another process runs the lab. */
export function claimLab(): void {
  const owner = liveOwner();
  if (owner !== undefined && owner.pid !== process.pid) {
    throw new AppError(
      'LAB_RUNNING',
      `Cannot bring up the lab: it is already up, run by process ${owner.pid}`,
      {
        hint: 'Use it as it is, or end it first: npx zerohop lab down',
      },
    );
  }
  mkdirSync(dirname(OWNER_FILE), { recursive: true });
  writeFileSync(OWNER_FILE, `${process.pid} ${startTicks('self')}\n`);
}

export function releaseLab(): void {
  rmSync(OWNER_FILE, { force: true });
}

function startTicks(pid: string): string {
  // The command's name, in parentheses, may hold blanks; the fields are counted after it.
  const fields = readIfThere(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  // A process that was killed and not yet reaped by its parent runs no lab.
  return fields[0] === 'Z' ? '' : (fields[19] ?? '');
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not there means nobody: the caller's answer for both.
    return '';
  }
}
