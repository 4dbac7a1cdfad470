/**
 * Loads every program of every generated object as the agent would, each object by itself, so that one that is refused
 * hides nothing. A test of the machinery sees to it that no generated object is missing here.
 */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPrograms, type ProgramInput } from '../../../src/datapath/kernel/load-program.ts';
import type { ObjectSpec } from '../../../src/datapath/kernel/object-spec.ts';
import { openMaps } from '../../../src/datapath/kernel/pins.ts';
import { POD_OBJECT } from '../../../src/datapath/kernel/programs.gen.ts';
import { SOCKET_OBJECT } from '../../../src/datapath/socket/programs.gen.ts';
import { SOCKET_HOOKS } from '../../../src/datapath/socket/socket-links.ts';
import { openSocketMaps } from '../../../src/datapath/socket/socket-maps.ts';
import type { BpfMap } from '../../../src/sys/bpf-map.ts';
import { openLibc } from '../../../src/sys/libc.ts';
import {
  BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  CGROUP_ATTACH_TYPES,
} from '../../../src/sys/socket-programs/cgroup-link.ts';
import type { GuestLine } from './report.ts';

type Maps = ReadonlyMap<string, BpfMap>;

/** Every object there is, and how its maps are opened; the socket programs share those of the packet programs. */
export const OBJECTS: Readonly<
  Record<string, { object: ObjectSpec; maps: (directory: string) => Maps; kinds: ProgramInput['kinds'] }>
> = {
  POD_OBJECT: { object: POD_OBJECT, maps: (directory) => openMaps(POD_OBJECT, directory), kinds: {} },
  SOCKET_OBJECT: {
    object: SOCKET_OBJECT,
    maps: (directory) => new Map([...openMaps(POD_OBJECT, directory), ...openSocketMaps(directory)]),
    kinds: Object.fromEntries(
      SOCKET_HOOKS.map((hook) => [
        hook,
        { programType: BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attachType: CGROUP_ATTACH_TYPES[hook] },
      ]),
    ),
  },
};

/** One program at a time: an object whose third program is refused has two that are not. */
export function loadObjects(tell: (line: GuestLine) => void): void {
  for (const [name, { object, maps: open, kinds }] of Object.entries(OBJECTS)) {
    const directory = mkdtempSync(join(tmpdir(), 'zh-objects-'));
    openLibc().mount('bpf', directory, 'bpf');
    const maps = attempt(() => open(directory));
    for (const program of Object.keys(object.programs)) {
      const instructions = Buffer.from(object.programs[program]?.instructions ?? '', 'base64').length / 8;
      const loaded =
        'error' in maps
          ? { error: maps.error, examined: 0 }
          : loadOne({ object, maps: maps.value, kinds }, program);
      tell({ kind: 'program', object: name, program, instructions, ...loaded });
    }
    if ('value' in maps) for (const map of maps.value.values()) map.close();
    openLibc().umount(directory);
    rmdirSync(directory);
  }
}

function loadOne(
  { object, maps, kinds }: { object: ObjectSpec; maps: Maps; kinds: ProgramInput['kinds'] },
  program: string,
): { examined: number; error?: string } {
  const spec = object.programs[program];
  if (spec === undefined) return { examined: 0, error: 'No such program' };
  let examined = 0;
  const onVerified = (_: string, statistics: string) => {
    examined = Number(/processed (\d+) insns/.exec(statistics)?.[1] ?? 0);
  };
  const loaded = attempt(() => {
    const input = { object: { ...object, programs: { [program]: spec } }, maps, globals: {}, onVerified };
    const programs = loadPrograms({ ...input, ...(kinds === undefined ? {} : { kinds }) });
    for (const fd of programs.values()) openLibc().close(fd);
  });
  return 'error' in loaded ? { examined, error: loaded.error } : { examined };
}

function attempt<T>(action: () => T): { value: T } | { error: string } {
  try {
    return { value: action() };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
