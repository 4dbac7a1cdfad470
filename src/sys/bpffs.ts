/** The file system that keeps BPF objects alive without a process. */
import { mkdirSync, rmdirSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError, errorCode, errorText } from '../fault/app-error.ts';
import { checkCall, SYS_ERRORS } from './errors.ts';
import { openLibc } from './libc.ts';

/** BPF_FS_MAGIC of linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11;

export function isBpffs(directory: string): boolean {
  return statfsSync(directory).type >>> 0 === BPF_FS_MAGIC;
}

/**
 * Makes `directory`, on a bpffs. If its parent is not on one, a bpffs is mounted on the directory itself.
 * Needs CAP_SYS_ADMIN only when it must mount.
 */
export function ensureBpffs(directory: string): void {
  makeDirectory(directory);
  if (isBpffs(directory)) return;
  checkCall(`mount a bpffs on ${directory}`, openLibc().mount('bpf', directory, 'bpf'));
}

/** Makes a directory and those above it, for its owner only; throws `SYS_CALL_FAILED`. */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    const message = `Cannot make the directory ${directory}: ${errorCode(error) ?? errorText(error)}`;
    throw new AppError('SYS_CALL_FAILED', message, { cause: error, hint: SYS_ERRORS.SYS_CALL_FAILED.cure });
  }
}

/** Undoes `ensureBpffs` for an empty directory: unmounts the bpffs if it was mounted there, and removes the directory. */
export function removeBpffs(directory: string): void {
  const mountedHere = isBpffs(directory) && !isBpffs(dirname(directory));
  if (mountedHere) checkCall(`unmount the bpffs on ${directory}`, openLibc().umount(directory));
  rmdirSync(directory);
}
