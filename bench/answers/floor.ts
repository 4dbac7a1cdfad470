/** The program of `bpf/floor.bpf.c` at an interface of this thread's namespace, as the pod programs hang there. */
import { loadPrograms } from '../../src/datapath/kernel/load-program.ts';
import { checkCall } from '../../src/sys/errors.ts';
import { addClsact, removeClsact, replaceFilter } from '../../src/sys/hook/filters.ts';
import { createTcxLink, hasTcx } from '../../src/sys/hook/tcx.ts';
import { openLibc } from '../../src/sys/libc.ts';
import { FLOOR_OBJECT } from './floor-program.gen.ts';

/** Of a classic filter. */
const PRIORITY = 1;

/** By TCX, or by a filter before Linux 6.6. What is returned takes it away; the interface must have no other then. */
export function hangFloor(ifindex: number): () => void {
  const programs = loadPrograms({ object: FLOOR_OBJECT, maps: new Map(), globals: {} });
  const program = programs.get('floor_echo') ?? -1;
  try {
    if (!hasTcx()) return hangByFilter(ifindex, program);
    const spec = { ifindex, direction: 'in', program, place: 'last' } as const;
    const link = checkCall('attach the echo', createTcxLink(spec));
    return () => void openLibc().close(link);
  } finally {
    for (const fd of programs.values()) openLibc().close(fd);
  }
}

function hangByFilter(ifindex: number, program: number): () => void {
  addClsact(ifindex);
  const place = { ifindex, direction: 'in', priority: PRIORITY, handle: 1 } as const;
  const result = replaceFilter(place, program, 'floor_echo');
  if (result !== 'OK') throw new Error(`Cannot attach the echo: ${result}`);
  return () => void removeClsact(ifindex);
}
