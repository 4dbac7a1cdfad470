/**
 * Our programs on the cgroup: links, pinned beside the other pins, so that they outlive the process; the next process
 * swaps the programs in them. Where the kernel can order (6.17, 6.12.110) we come first: the address a process wrote is ours to
 * see, before another load balancer has made something else of it. Elsewhere whoever came first is first, and it is said.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BPF_COMMAND, callBpf, openPinned, pinObject, removePinnedLink } from '../../sys/bpf.ts';
import { makeDirectory } from '../../sys/bpffs.ts';
import { checkCall, errnoName } from '../../sys/errors.ts';
import { openLibc } from '../../sys/libc.ts';
import {
  CGROUP_ATTACH_TYPES,
  type CgroupHook,
  cgroupLinkInfo,
  cgroupPrograms,
  linkToCgroup,
  programName,
} from '../../sys/socket-programs/cgroup-link.ts';
import { refusal, tooOld } from '../kernel/load-program.ts';
import type { CgroupRoot } from './cgroup-root.ts';
import type { SocketHookOwner } from './socket-status.ts';

/** Answers are put right before questions are changed: no process may see what it did not ask. */
export const SOCKET_HOOKS: readonly CgroupHook[] = [
  'sock_release',
  ...(['recvmsg4', 'recvmsg6', 'getpeername4', 'getpeername6'] as const),
  ...(['connect4', 'connect6', 'sendmsg4', 'sendmsg6'] as const),
];

export class SocketLinks {
  readonly #directory: string;

  /** A directory on a bpffs, made when missing. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Puts every program on the cgroup, or in the place of an older one there. Links on other cgroups are taken away. */
  attach(programs: ReadonlyMap<string, number>, root: CgroupRoot): void {
    makeDirectory(this.#directory);
    for (const hook of SOCKET_HOOKS) {
      const program = programs.get(hook);
      if (program === undefined) throw new Error(`No program ${hook}`);
      const path = join(this.#directory, hook);
      if (!swapProgram(path, program, { hook, root })) createLink(path, program, { hook, root });
    }
  }

  /** Everybody else on our hooks of that cgroup. */
  others(root: CgroupRoot): readonly SocketHookOwner[] {
    return SOCKET_HOOKS.flatMap((hook) => {
      const ids = cgroupPrograms({ cgroupFd: root.fd, hook });
      const own = ids.indexOf(this.#programId(hook));
      return ids.flatMap((id, i) =>
        i === own ? [] : [{ hook, name: programName(id), id, ahead: own === -1 || i < own }],
      );
    });
  }

  /** Questions first, for the reason they come last when attaching. */
  detach(): void {
    if (!existsSync(this.#directory)) return;
    const pinned = new Set(readdirSync(this.#directory));
    for (const hook of [...SOCKET_HOOKS].reverse())
      if (pinned.has(hook)) removePinnedLink(join(this.#directory, hook));
  }

  #programId(hook: CgroupHook): number {
    const fd = openPinned(join(this.#directory, hook));
    if (fd === undefined) return 0;
    try {
      return cgroupLinkInfo(fd).programId;
    } finally {
      openLibc().close(fd);
    }
  }
}

interface Place {
  readonly hook: CgroupHook;
  readonly root: CgroupRoot;
}

/** False when there is nothing to swap: no link, or one on another cgroup, or on one that is gone. */
function swapProgram(path: string, program: number, { hook, root }: Place): boolean {
  const fd = openPinned(path);
  if (fd === undefined) return false;
  try {
    const { cgroupId, attachType } = cgroupLinkInfo(fd);
    if (cgroupId === root.id && attachType === CGROUP_ATTACH_TYPES[hook]) {
      const attr = { 'link_update.link_fd': fd, 'link_update.new_prog_fd': program };
      checkCall(`swap the program at ${hook}`, callBpf(BPF_COMMAND.LINK_UPDATE, attr));
      return true;
    }
  } finally {
    openLibc().close(fd);
  }
  removePinnedLink(path);
  return false;
}

function createLink(path: string, program: number, { hook, root }: Place): void {
  const what = `attach ${hook} to ${root.path}`;
  const target = { cgroupFd: root.fd, hook };
  const ordered = linkToCgroup(program, target, 'first');
  const fd = ordered < 0 ? linkToCgroup(program, target, 'last') : ordered;
  if (errnoName(fd) === 'EINVAL') throw tooOld(what, 'a link on a cgroup', '5.7');
  if (errnoName(fd) === 'EPERM') throw refusal(what, fd, '');
  checkCall(what, fd);
  try {
    pinObject(fd, path);
  } finally {
    openLibc().close(fd);
  }
}
