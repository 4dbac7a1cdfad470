/**
 * A mounted directory as a value with a version (dns-server 4.5), looked at every ten seconds. A ConfigMap mount swaps a
 * symbolic link, which file notifications see differently on every platform, and some file systems have none: looking
 * always works. What notifications there are make it look sooner.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Timer } from '../telemetry/clock.ts';

export const POLL_MS = 10_000;
/** Whoever writes files writes several; a file that is half written is looked at again when it is whole. */
export const SETTLE_MS = 100;
/** A ConfigMap holds at most a mebibyte. */
const MAX_FILE_BYTES = 2 << 20;

export interface DirectoryContent {
  readonly files: ReadonlyMap<string, string>;
  /** SHA-256 over names and contents. */
  readonly version: string;
}

/** Regular files that are not hidden, not those in directories below. Throws Node's file system errors. */
export function readDirectory(path: string): DirectoryContent {
  const files = new Map<string, string>();
  const hash = createHash('sha256');
  for (const name of readdirSync(path).sort()) {
    const file = join(path, name);
    if (name.startsWith('.')) continue;
    const { size, isFile } = statOf(file);
    if (!isFile || size > MAX_FILE_BYTES) continue;
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
    files.set(name, text);
    hash.update(`${name}\0${text}\0`);
  }
  return { files, version: hash.digest('hex') };
}

function statOf(file: string): { size: number; isFile: boolean } {
  const stat = statSync(file);
  return { size: stat.size, isFile: stat.isFile() };
}

export interface DirectoryWatchOptions {
  readonly clock: Clock;
  readonly read: () => DirectoryContent;
  /** Also called for the first content. */
  readonly onChange: (content: DirectoryContent) => void;
  /** Calls back when something has happened, until told to stop; undefined when it cannot. */
  readonly notify?: (onEvent: () => void) => (() => void) | undefined;
  /** A failure is told once until something else happens; the looking goes on. */
  readonly onError: (error: unknown) => void;
}

/** Looks at once; returns the way to stop. */
export function watchDirectory({
  clock,
  read,
  onChange,
  onError,
  notify,
}: DirectoryWatchOptions): () => void {
  let timer: Timer | undefined;
  let version: string | undefined;
  let failing = false;
  let stopNotifying: (() => void) | undefined;
  let soon = false;

  function look(): void {
    soon = false;
    lookAfter(POLL_MS);
    // Before reading, so that nothing is missed; anew each time, because the directory may be another by now.
    stopNotifying?.();
    stopNotifying = notify?.(lookSoon);
    try {
      const content = read();
      failing = false;
      if (content.version === version) return;
      version = content.version;
      onChange(content);
    } catch (error) {
      if (!failing) onError(error);
      failing = true;
    }
  }
  /** Not put off by further events: somebody may write all the time. */
  function lookSoon(): void {
    if (soon) return;
    soon = true;
    lookAfter(SETTLE_MS);
  }
  function lookAfter(delayMs: number): void {
    timer?.cancel();
    timer = clock.after(delayMs, look);
  }

  look();
  return () => {
    timer?.cancel();
    stopNotifying?.();
  };
}

/** By the file system; does not keep the process alive. */
export function directoryEvents(path: string): NonNullable<DirectoryWatchOptions['notify']> {
  return (onEvent) => {
    try {
      const watcher = watch(path, { persistent: false }, onEvent);
      watcher.on('error', () => watcher.close());
      return () => watcher.close();
    } catch {
      // There is no such directory, or no notification left to be had: looking goes on.
      return undefined;
    }
  };
}
