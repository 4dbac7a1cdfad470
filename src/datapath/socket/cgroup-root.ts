/**
 * The root of the cgroup v2 hierarchy: where a program sees the sockets of every process. Mounted alone (/sys/fs/cgroup)
 * or beside v1 (/sys/fs/cgroup/unified); in a container wherever the host's was mounted, which the operator says. Where
 * none can be reached we mount a view of our own for a moment.
 */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../fault/app-error.ts';
import { errnoName } from '../../sys/errors.ts';
import { openLibc } from '../../sys/libc.ts';
import { DATAPATH_ERRORS } from '../errors.ts';

/** CGROUP2_SUPER_MAGIC of linux/magic.h. */
const CGROUP2_MAGIC = 0x63677270;
/** Every cgroup but the root of all has it. */
const NOT_ROOT_FILE = 'cgroup.events';

export interface CgroupRoot {
  /** For people; of a view of our own it is `cgroup v2 root`. */
  readonly path: string;
  readonly fd: number;
  /** As links tell it. */
  readonly id: bigint;
  /** It is the machine's, not a container's part of it. */
  readonly whole: boolean;
}

/** Gives `use` the open root, and lets go of it. Throws `DATAPATH_NO_CGROUP2`. `path` is what the operator said. */
export function withCgroupRoot<T>(path: string | undefined, use: (root: CgroupRoot) => T): T {
  if (path !== undefined) {
    if (!isCgroup2(path)) throw noCgroup('it is no cgroup v2 directory', path);
    return useDirectory(path, path, use);
  }
  const mounted = mountedCgroups(readFileSync('/proc/self/mounts', 'utf8')).filter(isCgroup2);
  const whole = mounted.find(isWhole);
  if (whole !== undefined) return useDirectory(whole, whole, use);
  return withOwnView(use, mounted[0]);
}

/** Of the directory and all below it, as sockets tell them. One that goes meanwhile is left out. */
export function cgroupsBelow(directory: string): ReadonlySet<bigint> {
  const found = new Set<bigint>();
  const waiting = [directory];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    try {
      found.add(statSync(next, { bigint: true }).ino);
      for (const entry of readdirSync(next, { withFileTypes: true }))
        if (entry.isDirectory()) waiting.push(join(next, entry.name));
    } catch {
      // Its last process ended, and whoever made it took it away.
    }
  }
  return found;
}

/** Exported for tests. `text` is that of /proc/self/mounts, where blanks in names are octal. */
export function mountedCgroups(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, directory = '', type] = line.split(' ');
    const plain = directory.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return type === 'cgroup2' ? [plain] : [];
  });
}

function useDirectory<T>(directory: string, name: string, use: (root: CgroupRoot) => T): T {
  const fd = openSync(directory, 'r');
  try {
    const id = statSync(directory, { bigint: true }).ino;
    return use({ path: name, fd, id, whole: isWhole(directory) });
  } finally {
    closeSync(fd);
  }
}

/** In a cgroup namespace of its own even this is a part only; `otherwise` is a part that is there already. */
function withOwnView<T>(use: (root: CgroupRoot) => T, otherwise: string | undefined): T {
  if (otherwise !== undefined) return useDirectory(otherwise, otherwise, use);
  const directory = mkdtempSync(join(tmpdir(), 'zerohop-cgroup-'));
  try {
    const result = openLibc().mount('none', directory, 'cgroup2');
    if (result < 0) throw noCgroup(`none is mounted, and mounting one says ${errnoName(result)}`, '');
    try {
      return useDirectory(directory, 'cgroup v2 root', use);
    } finally {
      openLibc().umount(directory);
    }
  } finally {
    rmdirSync(directory);
  }
}

function isCgroup2(directory: string): boolean {
  return existsSync(directory) && statfsSync(directory).type >>> 0 === CGROUP2_MAGIC;
}

function isWhole(directory: string): boolean {
  return !existsSync(join(directory, NOT_ROOT_FILE));
}

function noCgroup(reason: string, received: string): AppError {
  const message = `Cannot find the root of cgroup v2: ${reason}: received ${JSON.stringify(received)}`;
  return new AppError('DATAPATH_NO_CGROUP2', message, { hint: DATAPATH_ERRORS.DATAPATH_NO_CGROUP2.cure });
}
