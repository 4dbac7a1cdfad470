/**
 * A place for a unix socket that root alone may open: names that pods ask for are personal data. What a killed server left
 * behind is replaced; a socket that answers is somebody's, and stays.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { AppError, errorCode } from '../../fault/app-error.ts';
import type { HubbleErrorCode } from '../errors.ts';

const SOCKET_MODE = 0o600;
/** sun_path holds 108 bytes with the zero at its end (unix(7)); libuv cuts what is longer. */
const LONGEST_PATH = 107;

/**
 * Throws `AppError` HUBBLE_SOCKET_TAKEN or HUBBLE_SOCKET_UNUSABLE. Returns the way to take the name away when the server has
 * closed, if it is still ours: whoever took the place since keeps it.
 */
export async function listenUnix(server: Server, path: string): Promise<() => void> {
  // libuv takes away whatever has the name it was given, when it closes: it never has this one for long.
  const made = `${path}.${process.pid}`;
  if (Buffer.byteLength(made) > LONGEST_PATH)
    throw unusable(path, `with ".${process.pid}" it is longer than ${LONGEST_PATH} bytes`);
  await makeRoom(path);
  rmSync(made, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(unusable(path, 'the socket cannot be made', error)));
    // Narrow from its first moment: chmod alone would leave it open to all in between.
    const before = process.umask(0o177);
    try {
      server.listen(made, resolve);
    } finally {
      process.umask(before);
    }
  });
  chmodSync(made, SOCKET_MODE);
  renameSync(made, path);
  const inode = inodeOf(path);
  return () => {
    if (inode !== undefined && inodeOf(path) === inode) unlinkSync(path);
  };
}

function inodeOf(path: string): bigint | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** What nobody answers at is replaced when the new socket gets its name. */
async function makeRoom(path: string): Promise<void> {
  try {
    makeDirectory(dirname(path));
    if (!lstatSync(path).isSocket()) throw unusable(path, 'a file of another kind has this name');
    if (await answers(path)) {
      const code: HubbleErrorCode = 'HUBBLE_SOCKET_TAKEN';
      throw new AppError(code, `Cannot listen: another server does: received ${path}`);
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error instanceof AppError ? error : unusable(path, 'its directory cannot be used', error);
  }
}

/**
 * The innermost for its owner alone; what is there stays as it is. Level by level: asked to do it all, Node 26 never comes
 * back from a place like /proc, where making a directory fails with ENOENT though its parent is there.
 */
function makeDirectory(directory: string, mode = 0o700): void {
  if (existsSync(directory)) return;
  makeDirectory(dirname(directory), 0o755);
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw unusable(directory, 'its directory cannot be made', error);
  }
}

/** One that is too busy to take us is there all the same. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.on('connect', () => done(true));
    socket.on('error', (error) => done(errorCode(error) === 'EAGAIN'));
  });
}

export function unusable(address: string, reason: string, cause?: unknown): AppError {
  const code: HubbleErrorCode = 'HUBBLE_SOCKET_UNUSABLE';
  return new AppError(code, `Cannot listen: ${reason}: received ${address}`, {
    cause,
    hint: 'Run as root, or give another path or address',
  });
}
