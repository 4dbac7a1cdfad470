/** Where admin sockets are: one for each process, named by its pid, so that servers beside each other never collide. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const DEFAULT_DIRECTORY = '/run/zerohop';
const NAME = /^dns-(\d+)\.sock$/;

/** `ZEROHOP_RUN_DIR`, or `/run/zerohop`. */
export function adminDirectory(env: Readonly<Record<string, string | undefined>>): string {
  return env.ZEROHOP_RUN_DIR ?? DEFAULT_DIRECTORY;
}

/** Makes the folder, and clears what processes left that ended without cleaning up. Throws what the file system says. */
export function prepareSocketPath(directory: string, pid: number): string {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  for (const { path, isAlive } of listSockets(directory)) if (!isAlive) rmSync(path, { force: true });
  return join(directory, `dns-${pid}.sock`);
}

export interface FoundSocket {
  readonly path: string;
  readonly pid: number;
  readonly isAlive: boolean;
}

/** Nothing when the folder is not there. */
export function listSockets(directory: string): readonly FoundSocket[] {
  return entries(directory).flatMap((name) => {
    const pid = NAME.exec(name)?.[1];
    if (pid === undefined) return [];
    return [{ path: join(directory, name), pid: Number(pid), isAlive: isAlive(Number(pid)) }];
  });
}

function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    // Nobody ever listened here.
    return [];
  }
}

/** Signal 0 asks whether a process is there. One of another user counts. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
