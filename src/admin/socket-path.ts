/**
 * Where admin sockets are: one for each process, named by its pid. Whether somebody is behind a socket is found out by
 * connecting, not by the pid: containers that share the folder each have pids of their own, often the same ones.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { errorCode } from '../fault/app-error.ts';

const DEFAULT_DIRECTORY = '/run/zerohop';
const NAME = /^dns-(\d+)(?:-\d+)?\.sock$/;
/** Containers with the same pid that can be told apart in one folder. */
const MAX_NAMESAKES = 64;

/** `ZEROHOP_RUN_DIR`, or `/run/zerohop`. */
export function adminDirectory(env: Readonly<Record<string, string | undefined>>): string {
  return env.ZEROHOP_RUN_DIR ?? DEFAULT_DIRECTORY;
}

/**
 * Makes the folder, clears what processes left that ended without cleaning up, and finds a free name. Rejects with what
 * the file system says.
 */
export async function prepareSocketPath(directory: string, pid: number): Promise<string> {
  makeDirectory(directory);
  const found = await listSockets(directory);
  for (const { path, isAlive } of found) if (!isAlive) rmSync(path, { force: true });
  const taken = new Set(found.flatMap(({ path, isAlive }) => (isAlive ? [path] : [])));
  for (let i = 0; i < MAX_NAMESAKES; i++) {
    const path = join(directory, i === 0 ? `dns-${pid}.sock` : `dns-${pid}-${i}.sock`);
    if (!taken.has(path)) return path;
  }
  throw new Error(`more than ${MAX_NAMESAKES} processes have the number ${pid} in ${directory}`);
}

/** Not with its parents: where none can be made, as in /proc, Node would try for ever. */
function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o755 });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

export interface FoundSocket {
  readonly path: string;
  /** As its process calls itself, in a pid namespace of its own perhaps. */
  readonly pid: number;
  readonly isAlive: boolean;
}

/** Nothing when the folder is not there. */
export function listSockets(directory: string): Promise<readonly FoundSocket[]> {
  const found = entries(directory).flatMap((name) => {
    const pid = NAME.exec(name)?.[1];
    return pid === undefined ? [] : [{ path: join(directory, name), pid: Number(pid) }];
  });
  return Promise.all(found.map(async ({ path, pid }) => ({ path, pid, isAlive: await isSocketAlive(path) })));
}

/** Whether somebody listens there. One that we may not talk to counts. */
export function isSocketAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.on('error', (error) => resolve(errorCode(error) === 'EACCES' || errorCode(error) === 'EAGAIN'));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
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
