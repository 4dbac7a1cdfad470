/**
 * Test support: a program of somebody else at an interface, which returns one verdict for every packet: what the CNI's, or
 * another agent's, looks like to us.
 */
import { BPF_PROG_TYPE_SCHED_CLS, callProgramLoad, objectName } from '../../sys/bpf.ts';
import { checkCall } from '../../sys/errors.ts';
import { addClsact, type FilterKey, replaceFilter } from '../../sys/hook/filters.ts';
import { createTcxLink } from '../../sys/hook/tcx.ts';
import { openLibc } from '../../sys/libc.ts';

/** TCX_NEXT and TC_ACT_UNSPEC: whoever comes behind runs, too. */
export const NEXT = -1;
/** TCX_PASS and TC_ACT_OK: to the stack, whoever comes behind. */
export const OK = 0;

const MOVE_IMMEDIATE_TO_R0 = 0xb7;
const EXIT = 0x95;

/** A descriptor of a program that returns `verdict`. */
export function loadVerdict(name: string, verdict: number): number {
  const instructions = new Uint8Array(16);
  const view = new DataView(instructions.buffer);
  view.setUint8(0, MOVE_IMMEDIATE_TO_R0);
  view.setInt32(4, verdict, true);
  view.setUint8(8, EXIT);
  const attr = {
    prog_type: BPF_PROG_TYPE_SCHED_CLS,
    insns: instructions,
    insn_cnt: 2,
    license: new TextEncoder().encode('GPL\0'),
    prog_name: objectName(name),
  };
  return checkCall(`load ${name}`, callProgramLoad(attr));
}

export interface OtherOwner {
  /** Gone, if it was there by TCX; filters stay. */
  close(): void;
}

/** By TCX, in front of all or behind all. */
export function hangByTcx(
  ifindex: number,
  owner: { name: string; verdict: number; place: 'first' | 'last'; direction?: 'in' | 'out' },
): OtherOwner {
  const program = loadVerdict(owner.name, owner.verdict);
  const { place, direction = 'in' } = owner;
  const link = checkCall('attach', createTcxLink({ ifindex, direction, program, place }));
  openLibc().close(program);
  return { close: () => void openLibc().close(link) };
}

/** By clsact, as most CNIs with eBPF do, usually at priority 1. */
export function hangByFilter(key: FilterKey, owner: { name: string; verdict: number }): void {
  const program = loadVerdict(owner.name, owner.verdict);
  addClsact(key.ifindex);
  const result = replaceFilter(key, program, owner.name);
  openLibc().close(program);
  if (result !== 'OK') throw new Error(`Cannot put the filter ${owner.name} there: ${result}`);
}
