/**
 * Files that hold credentials. A mounted token is replaced under our feet about once an hour (the kubelet swaps a
 * symbolic link), certificates once in a few months: all are looked at on every request. Contents never enter a message.
 */
import { readFileSync, statSync } from 'node:fs';
import { AppError, errorText } from '../../fault/app-error.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { KubeErrorCode } from '../errors.ts';

/** A file system that keeps coarse times may hide a swap from `stat`; after this long we read again anyway. */
const REREAD_AFTER_MS = 60_000;

/** `what` reads into "Cannot read the client key". Throws `AppError` KUBE_CONFIG_UNREADABLE. */
export function readCredential(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unreadable(path, what, error);
  }
}

/** The file's content without surrounding white space, at most a minute old; see `KubeConfig.token`. */
export function tokenFromFile(path: string, clock: Clock): () => string {
  let held: { readonly token: string; readonly stamp: string; readonly readAtMs: number } | undefined;
  return () => {
    const stamp = fileStamp(path);
    const nowMs = clock.monotonicMs();
    if (held === undefined || held.stamp !== stamp || nowMs - held.readAtMs >= REREAD_AFTER_MS) {
      held = { token: readCredential(path, 'the token').trim(), stamp, readAtMs: nowMs };
    }
    return held.token;
  };
}

/**
 * What `read` makes of the files, again whenever one of `paths` was replaced, and the same value until then. While it
 * cannot be read (one of two files is there already) the value before stays. The first reading throws what `read` throws.
 */
export function rotatingFiles<T>(paths: readonly string[], read: () => T): () => T {
  const stamps = () => paths.map((path) => fileStamp(path)).join();
  let held = { value: read(), stamp: stamps() };
  return () => {
    try {
      const stamp = stamps();
      if (stamp !== held.stamp) held = { value: read(), stamp };
    } catch {
      // Under replacement: looked at again with the next request.
    }
    return held.value;
  };
}

function fileStamp(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${mtimeMs}/${size}/${ino}`;
  } catch (error) {
    throw unreadable(path, 'the token', error);
  }
}

function unreadable(path: string, what: string, error: unknown): AppError {
  const code: KubeErrorCode = 'KUBE_CONFIG_UNREADABLE';
  return new AppError(code, `Cannot read ${what}: ${errorText(error)}: received ${JSON.stringify(path)}`, {
    cause: error,
  });
}
