/**
 * Which interfaces our programs hang on. A link is pinned, so it outlives the process; it dies with its interface, and
 * then its pin is an empty shell that is removed. Interface numbers are not reused soon, so they name the pins.
 */
import { readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  BPF_COMMAND,
  BPF_TCX_EGRESS,
  BPF_TCX_INGRESS,
  callBpf,
  linkIfindex,
  openPinned,
  pinObject,
  removePinnedLink,
} from '../../sys/bpf.ts';
import { checkCall, errnoName } from '../../sys/errors.ts';
import { openLibc } from '../../sys/libc.ts';
import { refusal, tooOld } from './load-program.ts';

const HOOKS = [
  { suffix: 'in', attachType: BPF_TCX_INGRESS, program: 'from_endpoint' },
  { suffix: 'out', attachType: BPF_TCX_EGRESS, program: 'to_endpoint' },
] as const;

export class Links {
  readonly #directory: string;
  readonly #programs: ReadonlyMap<string, number>;

  /** The programs stay the caller's. */
  constructor(directory: string, programs: ReadonlyMap<string, number>) {
    this.#directory = directory;
    this.#programs = programs;
  }

  /** Interfaces with at least one of our pins. */
  ifindexes(): readonly number[] {
    return [...new Set(readdirSync(this.#directory).map((name) => Number.parseInt(name, 10)))].sort(
      (a, b) => a - b,
    );
  }

  /** Puts both programs on the interface, or the current ones in the place of older ones. */
  attach(ifindex: number): void {
    for (const hook of HOOKS) {
      const path = join(this.#directory, `${ifindex}-${hook.suffix}`);
      const program = this.#programs.get(hook.program);
      if (program === undefined) throw new Error(`No program ${hook.program}`);
      if (!replaceProgram(path, ifindex, program)) createLink(path, ifindex, hook.attachType, program);
    }
  }

  detach(ifindex: number): void {
    const names = readdirSync(this.#directory).filter((name) => Number.parseInt(name, 10) === ifindex);
    for (const name of names) removePinnedLink(join(this.#directory, name));
  }

  /** Swaps the programs of everything inherited, and removes the shells of interfaces that are gone. */
  inherit(): void {
    for (const ifindex of this.ifindexes()) {
      if (this.#countAlive(ifindex) > 0) this.attach(ifindex);
      else this.detach(ifindex);
    }
  }

  /** Removes what is left of interfaces that are gone; returns those that have both programs. */
  sweep(): readonly number[] {
    return this.ifindexes().filter((ifindex) => {
      const alive = this.#countAlive(ifindex);
      if (alive === 0) this.detach(ifindex);
      return alive === HOOKS.length;
    });
  }

  /** One of two, after a crash between the two. */
  #countAlive(ifindex: number): number {
    return HOOKS.filter((hook) => {
      const fd = openPinned(join(this.#directory, `${ifindex}-${hook.suffix}`));
      if (fd === undefined) return false;
      try {
        return linkIfindex(fd) === ifindex;
      } finally {
        openLibc().close(fd);
      }
    }).length;
  }
}

/** False when there is nothing to replace. */
function replaceProgram(path: string, ifindex: number, program: number): boolean {
  const fd = openPinned(path);
  if (fd === undefined) return false;
  try {
    if (linkIfindex(fd) !== ifindex) {
      unlinkSync(path);
      return false;
    }
    const attr = { 'link_update.link_fd': fd, 'link_update.new_prog_fd': program };
    checkCall(`swap the program of interface ${ifindex}`, callBpf(BPF_COMMAND.LINK_UPDATE, attr));
    return true;
  } finally {
    openLibc().close(fd);
  }
}

/** No flags: behind the programs that are there, so that a CNI's egress policy sees the packet before we do. */
function createLink(path: string, ifindex: number, attachType: number, program: number): void {
  const what = `attach to interface ${ifindex}`;
  const fd = callBpf(BPF_COMMAND.LINK_CREATE, {
    'link_create.prog_fd': program,
    'link_create.target_ifindex': ifindex,
    'link_create.attach_type': attachType,
  });
  if (errnoName(fd) === 'EINVAL') throw tooOld(what, 'a TCX link', '6.6');
  if (errnoName(fd) === 'EPERM') throw refusal(what, fd, '');
  checkCall(what, fd);
  try {
    pinObject(fd, path);
  } finally {
    openLibc().close(fd);
  }
}
