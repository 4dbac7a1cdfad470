/**
 * A lock on a directory that the kernel gives back when its holder ends, however it ends (flock(2)). Works on a bpffs,
 * where no lock file could be made.
 */
import { closeSync, openSync } from 'node:fs';
import { checkCall, errnoName } from './errors.ts';
import { openLibc } from './libc.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

/** The way to give it back; undefined when somebody else has it, in this process or another. Never waits. */
export function lockDirectory(directory: string): (() => void) | undefined {
  const fd = openSync(directory, 'r');
  const result = openLibc().flock(fd, LOCK_EX | LOCK_NB);
  if (result >= 0) return () => closeSync(fd);
  closeSync(fd);
  if (errnoName(result) !== 'EAGAIN') checkCall(`lock the directory ${directory}`, result);
  return undefined;
}
