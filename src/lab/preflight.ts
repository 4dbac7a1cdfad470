/** Everything the lab needs from the machine, checked before anything is touched. Each refusal is one sentence. */
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, join } from 'node:path';
import { AppError } from '../fault/app-error.ts';
import { findCgroup2 } from './cgroup.ts';
import { missingFloor } from './machine-floor.mjs';

const TOOLS = ['ip', 'nft', 'nsenter', 'unshare', 'mount', 'openssl', 'hostname'] as const;

export interface Machine {
  readonly platform: string;
  readonly uid: number;
  readonly kernel: string;
  readonly filesystems: string;
  readonly mounts: string;
  readonly hasTool: (name: string) => boolean;
}

export function thisMachine(): Machine {
  const linux = process.platform === 'linux';
  return {
    platform: process.platform,
    uid: process.getuid?.() ?? -1,
    kernel: release(),
    filesystems: linux ? readFileSync('/proc/filesystems', 'utf8') : '',
    mounts: linux ? readFileSync('/proc/self/mounts', 'utf8') : '',
    hasTool: (name) =>
      toolPath()
        .split(delimiter)
        .some((dir) => existsSync(join(dir, name))),
  };
}

/** Throws LAB_UNSUPPORTED with the first thing that is missing. */
export function assertLabPossible(machine: Machine = thisMachine()): void {
  const refuse = (reason: string, hint?: string): never => {
    throw new AppError(
      'LAB_UNSUPPORTED',
      `Cannot run the lab: ${reason}`,
      hint === undefined ? {} : { hint },
    );
  };
  const missing = missingFloor(machine);
  if (missing !== undefined) refuse(missing);
  for (const filesystem of ['bpf', 'overlay', 'cgroup2']) {
    if (!machine.filesystems.split(/\s+/).includes(filesystem))
      refuse(`the kernel has no ${filesystem} file system`);
  }
  if (findCgroup2(machine.mounts) === undefined) refuse('cgroup v2 is not mounted');
  const tools = TOOLS.filter((tool) => !machine.hasTool(tool));
  if (tools.length > 0)
    refuse(`the machine lacks ${tools.join(', ')}`, 'npm start installs what is missing.');
}

/** PATH with the directories of system tools, which a root shell made by `su` may lack. */
export function toolPath(): string {
  return [process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(delimiter);
}
