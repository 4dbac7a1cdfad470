/**
 * Loads every program of every generated object as the agent would, each object by itself, so that one that is refused
 * hides nothing. A test of the machinery sees to it that no generated object is missing here.
 */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DROP_KINDS } from '../../../src/datapath/drops/drop-watch.ts';
import { DROP_OBJECT } from '../../../src/datapath/drops/programs.gen.ts';
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
  BPF_PROG_TYPE_CGROUP_SOCK,
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
  DROP_OBJECT: {
    object: DROP_OBJECT,
    maps: (directory) => openMaps(POD_OBJECT, directory),
    kinds: DROP_KINDS,
  },
  SOCKET_OBJECT: {
    object: SOCKET_OBJECT,
    maps: (directory) => new Map([...openMaps(POD_OBJECT, directory), ...openSocketMaps(directory)]),
    kinds: Object.fromEntries(
      SOCKET_HOOKS.map((hook) => [
        hook,
        {
          programType: hook === 'sock_release' ? BPF_PROG_TYPE_CGROUP_SOCK : BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
          attachType: CGROUP_ATTACH_TYPES[hook],
        },
      ]),
    ),
  },
};

/** One program at a time: an object whose third program is refused has two that are not. */
export async function loadObjects(tell: (line: GuestLine) => void): Promise<void> {
  for (const [name, { object }] of Object.entries(OBJECTS)) {
    for (const [program, { instructions }] of Object.entries(object.programs)) {
      const line = {
        kind: 'program' as const,
        object: name,
        program,
        instructions: instructionCount(instructions),
      };
      try {
        let examined = 0;
        await withProgram(name, program, (_, statistics) => {
          examined = Number(/processed (\d+) insns/.exec(statistics)?.[1] ?? 0);
        });
        tell({ ...line, examined });
      } catch (error) {
        tell({ ...line, examined: 0, error: error instanceof Error ? error.message : String(error) });
      }
    }
  }
}

function instructionCount(base64: string): number {
  return Buffer.from(base64, 'base64').length / 8;
}

/** Gives `use` a loaded program with maps of its own and what the verifier counted; both are gone when it returns. */
export async function withProgram<T>(
  name: string,
  program: string,
  use: (fd: number, statistics: string) => T | Promise<T>,
): Promise<T> {
  const known = OBJECTS[name];
  const spec = known?.object.programs[program];
  if (known === undefined || spec === undefined) throw new Error(`No program ${program} in ${name}`);
  const directory = mkdtempSync(join(tmpdir(), 'zh-objects-'));
  openLibc().mount('bpf', directory, 'bpf');
  const held: { close(): void }[] = [];
  try {
    const maps = known.maps(directory);
    held.push(...maps.values());
    let told = '';
    const loaded = loadPrograms({
      object: { ...known.object, programs: { [program]: spec } },
      maps,
      globals: {},
      onVerified: (_, statistics) => {
        told = statistics;
      },
      ...(known.kinds === undefined ? {} : { kinds: known.kinds }),
    });
    for (const fd of loaded.values()) held.push({ close: () => openLibc().close(fd) });
    return await use(loaded.get(program) ?? -1, told);
  } finally {
    for (const each of held) each.close();
    openLibc().umount(directory);
    rmdirSync(directory);
  }
}
