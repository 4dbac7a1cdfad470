/**
 * Files that somebody else wrote, pods among them: never more than so many bytes, never a pipe that nobody writes to, and
 * inside another root never a link that leads out of it.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';

const MAX_LINKS = 16;

/** At most `limit` bytes from its beginning. Throws as the file system does, and for what is no ordinary file. */
export function readBounded(path: string, limit: number): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    if (!fstatSync(fd).isFile()) throw new Error(`${path} is no ordinary file`);
    const bytes = Buffer.alloc(limit);
    let filled = 0;
    while (filled < limit) {
      const got = readSync(fd, bytes, filled, limit - filled, null);
      if (got === 0) break;
      filled += got;
    }
    return bytes.toString('utf8', 0, filled);
  } finally {
    closeSync(fd);
  }
}

/**
 * Where `path` is for a process whose root is `root`. A path through /proc/PID/root would follow absolute links from our
 * own root: the pod would show us a file of the node as if it were its own.
 */
export function insideRoot(root: string, path: string): string {
  const waiting = partsOf(path);
  const walked: string[] = [];
  for (let links = 0; waiting.length > 0; ) {
    const part = waiting.shift() ?? '';
    if (part === '..') {
      walked.pop();
      continue;
    }
    const target = linkTarget(join(root, ...walked, part));
    if (target === undefined) {
      walked.push(part);
      continue;
    }
    if (++links > MAX_LINKS) throw new Error(`Too many links on the way to ${path}`);
    if (target.startsWith('/')) walked.length = 0;
    waiting.unshift(...partsOf(target));
  }
  return join(root, ...walked);
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function linkTarget(path: string): string | undefined {
  const status = lstatSync(path, { throwIfNoEntry: false });
  return status?.isSymbolicLink() === true ? readlinkSync(path) : undefined;
}
