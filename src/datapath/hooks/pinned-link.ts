/**
 * A TCX link and the pin that lets it outlive the process. It dies with its interface, and then its pin is an empty shell.
 * Interface numbers are not reused soon, so they name the pins: `<directory>/<ifindex>-in|-out`.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  BPF_COMMAND,
  callBpf,
  linkId,
  linkIfindex,
  openPinned,
  pinObject,
  removePinnedLink,
} from '../../sys/bpf.ts';
import { checkCall, errnoName } from '../../sys/errors.ts';
import { createTcxLink } from '../../sys/hook/tcx.ts';
import { openLibc } from '../../sys/libc.ts';
import { refusal, tooOld } from '../kernel/load-program.ts';

export interface LinkKey {
  readonly directory: string;
  readonly ifindex: number;
  readonly direction: 'in' | 'out';
}

/** Interfaces that have at least one pin. */
export function pinnedIfindexes(directory: string): readonly number[] {
  const numbers = readdirSync(directory).map((name) => Number.parseInt(name, 10));
  return [...new Set(numbers.filter((number) => number > 0))];
}

/** The link's id; undefined when there is no pin or only a shell. */
export function pinnedLinkId(key: LinkKey): number | undefined {
  return withLink(key, (fd) => (linkIfindex(fd) === key.ifindex ? linkId(fd) : undefined));
}

/** Swaps the program in one step. */
export function updateLink(key: LinkKey, program: number): void {
  withLink(key, (fd) => {
    const attr = { 'link_update.link_fd': fd, 'link_update.new_prog_fd': program };
    checkCall(`swap the program of interface ${key.ifindex}`, callBpf(BPF_COMMAND.LINK_UPDATE, attr));
  });
}

/** Takes the place of a shell, but not of a link that is alive. */
export function createLink(key: LinkKey, program: number, place: 'first' | 'last'): void {
  const { ifindex, direction } = key;
  const what = `attach to interface ${ifindex}`;
  removeLink(key);
  const fd = createTcxLink({ ifindex, direction, program, place });
  if (errnoName(fd) === 'EINVAL') throw tooOld(what, 'a TCX link', '6.6');
  if (errnoName(fd) === 'EPERM') throw refusal(what, fd, '');
  checkCall(what, fd);
  try {
    pinObject(fd, pathOf(key));
  } finally {
    openLibc().close(fd);
  }
}

/** Detaches it now. Nothing when it is not there. */
export function removeLink(key: LinkKey): void {
  removePinnedLink(pathOf(key));
}

function withLink<T>(key: LinkKey, use: (fd: number) => T): T | undefined {
  const fd = openPinned(pathOf(key));
  if (fd === undefined) return undefined;
  try {
    return use(fd);
  } finally {
    openLibc().close(fd);
  }
}

function pathOf({ directory, ifindex, direction }: LinkKey): string {
  return join(directory, `${ifindex}-${direction}`);
}
