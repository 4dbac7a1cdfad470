/** The file system that keeps BPF objects alive without a process. */
import { existsSync, mkdirSync, readdirSync, rmdirSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AppError, errorCode, errorText } from '../fault/app-error.ts';
import { checkCall, SYS_ERRORS } from './errors.ts';
import { openLibc } from './libc.ts';

/** BPF_FS_MAGIC of linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11;

/** In sysfs nobody can make a directory: what systemd mounts there is missing on a machine or in a container. */
const MOUNT_FIRST =
  'Run as root. Where no bpffs is mounted on /sys/fs/bpf: mount -t bpf bpf /sys/fs/bpf, or name a directory elsewhere';

export function isBpffs(directory: string): boolean {
  return statfsSync(directory).type >>> 0 === BPF_FS_MAGIC;
}

/**
 * Makes `directory`, on a bpffs. If its parent is not on one, a bpffs is mounted on the directory itself.
 * Needs CAP_SYS_ADMIN only when it must mount.
 */
export function ensureBpffs(directory: string): void {
  makeDirectory(directory, { hint: MOUNT_FIRST });
  if (isBpffs(directory)) return;
  checkCall(`mount a bpffs on ${directory}`, openLibc().mount('bpf', directory, 'bpf'));
}

/**
 * Makes a directory and those above it, by default for its owner only; throws `SYS_CALL_FAILED`. Level by level: asked to do it all,
 * Node 26 never comes back from a place like /proc, where making a directory fails with ENOENT though its parent is there.
 */
export function makeDirectory(
  directory: string,
  { mode = 0o700, hint = SYS_ERRORS.SYS_CALL_FAILED.cure as string } = {},
): void {
  try {
    makeMissing(resolve(directory), mode);
  } catch (error) {
    const message = `Cannot make the directory ${directory}: ${errorCode(error) ?? errorText(error)}`;
    throw new AppError('SYS_CALL_FAILED', message, { cause: error, hint });
  }
}

/** What is there and no directory is left to the next call to complain about. */
function makeMissing(directory: string, mode: number): void {
  if (existsSync(directory)) return;
  makeMissing(dirname(directory), mode);
  mkdirSync(directory, { mode });
}

/**
 * Undoes `ensureBpffs`: unmounts the bpffs if it was mounted there, and removes the directory. One in which something is
 * left stays as it is: on /sys/fs/bpf itself that would be the pins of everybody else.
 */
export function removeBpffs(directory: string): void {
  // Names with a dot are the file system's own (maps.debug): it refuses them to everybody else.
  if (readdirSync(directory).some((name) => !name.includes('.'))) return;
  const mountedHere = isBpffs(directory) && !isBpffs(dirname(directory));
  if (mountedHere) checkCall(`unmount the bpffs on ${directory}`, openLibc().umount(directory));
  rmdirSync(directory);
}
