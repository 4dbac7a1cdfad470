/**
 * From bytecode to a program in the kernel: constants are filled in and frozen, map descriptors patched into the
 * instructions, and a refusal is explained. Tries first and asks questions afterwards.
 */
import { release } from 'node:os';
import { AppError } from '../../fault/app-error.ts';
import {
  BPF_COMMAND,
  BPF_F_RDONLY_PROG,
  BPF_PROG_TYPE_SCHED_CLS,
  type BpfAttr,
  callBpf,
  callProgramLoad,
  objectName,
} from '../../sys/bpf.ts';
import type { BpfMap } from '../../sys/bpf-map.ts';
import { u32Bytes } from '../../sys/bpf-map.ts';
import { checkCall, errnoName } from '../../sys/errors.ts';
import { openLibc } from '../../sys/libc.ts';
import { DATAPATH_ERRORS } from '../errors.ts';
import type { ObjectSpec, ProgramSpec } from './object-spec.ts';

const BPF_MAP_TYPE_ARRAY = 2;
/** Source register of a 16-byte load whose value is a map, or an address inside one. */
const BPF_PSEUDO_MAP_FD = 1;
const BPF_PSEUDO_MAP_VALUE = 2;
const LOG_BYTES = 4 << 20;
const LOG_LINES_SHOWN = 12;
/** Counts alone, Linux 5.2. */
const BPF_LOG_STATS = 4;
const STATISTICS_BYTES = 4096;

/** Helpers that a kernel may lack, by their number, which is all that an old verifier says of them. */
const HELPERS: Readonly<Record<string, { readonly name: string; readonly since: string }>> = {
  131: { name: 'bpf_ringbuf_reserve', since: '5.8' },
  155: { name: 'bpf_redirect_peer', since: '5.10' },
};

export interface ProgramInput {
  readonly object: ObjectSpec;
  readonly maps: ReadonlyMap<string, BpfMap>;
  /** Values for constants of the object, by name, in the layout of the C type. */
  readonly globals: Readonly<Record<string, Uint8Array>>;
  /** Of programs that are none of the packet path, by name: enum bpf_prog_type and enum bpf_attach_type. */
  readonly kinds?: Readonly<Record<string, { readonly programType: number; readonly attachType: number }>>;
  /** Hears what the verifier counted while it looked at a program it then accepted, in its own words. */
  readonly onVerified?: (name: string, statistics: string) => void;
}

/** Loads every program of the object; returns a descriptor for each, owned by the caller. */
export function loadPrograms(input: ProgramInput): ReadonlyMap<string, number> {
  const loaded = new Map<string, number>();
  const rodata = createRodata(input.object, input.globals);
  try {
    for (const [name, program] of Object.entries(input.object.programs)) {
      loaded.set(name, loadProgram(name, program, rodata, input));
    }
    return loaded;
  } catch (error) {
    for (const fd of loaded.values()) openLibc().close(fd);
    throw error;
  } finally {
    // The programs hold it from now on.
    openLibc().close(rodata);
  }
}

function createRodata(object: ObjectSpec, globals: ProgramInput['globals']): number {
  const data = Uint8Array.from(Buffer.from(object.rodata, 'base64'));
  for (const [name, value] of Object.entries(globals)) {
    const global = object.globals[name];
    if (global === undefined || value.length !== global.size)
      throw new Error(`No constant ${name} of ${value.length} bytes`);
    data.set(value, global.offset);
  }
  const fd = callBpf(BPF_COMMAND.MAP_CREATE, {
    map_type: BPF_MAP_TYPE_ARRAY,
    key_size: 4,
    value_size: data.length,
    max_entries: 1,
    map_flags: BPF_F_RDONLY_PROG,
    map_name: objectName('zh_rodata'),
  });
  if (fd < 0) throw refusal('create a map', fd, '');
  const key = u32Bytes(0);
  checkCall('fill the constants', callBpf(BPF_COMMAND.MAP_UPDATE_ELEM, { map_fd: fd, key, value: data }));
  // Frozen, the verifier takes them for constants and drops code that cannot run.
  checkCall('freeze the constants', callBpf(BPF_COMMAND.MAP_FREEZE, { map_fd: fd }));
  return fd;
}

function loadProgram(name: string, program: ProgramSpec, rodata: number, input: ProgramInput): number {
  const instructions = relocate(program, rodata, input.maps);
  const attr = {
    prog_type: input.kinds?.[name]?.programType ?? BPF_PROG_TYPE_SCHED_CLS,
    expected_attach_type: input.kinds?.[name]?.attachType ?? 0,
    insns: instructions,
    insn_cnt: instructions.length / 8,
    license: new TextEncoder().encode(`${input.object.license}\0`),
    prog_name: objectName(`zh_${name}`),
  };
  const statistics = input.onVerified === undefined ? undefined : new Uint8Array(STATISTICS_BYTES);
  const result = callProgramLoad({ ...attr, ...wanting(statistics) });
  if (statistics !== undefined && result >= 0) input.onVerified?.(name, logText(statistics));
  if (result >= 0) return result;
  const log = new Uint8Array(LOG_BYTES);
  const again = callProgramLoad({ ...attr, log_level: 1, log_buf: log, log_size: log.length });
  if (again >= 0) return again;
  throw refusal(`load program ${name}`, result, logText(log));
}

function wanting(statistics: Uint8Array | undefined): BpfAttr {
  if (statistics === undefined) return {};
  return { log_level: BPF_LOG_STATS, log_buf: statistics, log_size: statistics.length };
}

function logText(log: Uint8Array): string {
  return new TextDecoder().decode(log.subarray(0, log.indexOf(0)));
}

function relocate(program: ProgramSpec, rodata: number, maps: ProgramInput['maps']): Uint8Array {
  const instructions = Uint8Array.from(Buffer.from(program.instructions, 'base64'));
  const view = new DataView(instructions.buffer);
  for (const { instruction, map, offset } of program.relocations) {
    const at = instruction * 8;
    const fd = map === '.rodata' ? rodata : maps.get(map)?.fd;
    if (fd === undefined) throw new Error(`No map ${map} to relocate to`);
    const source = offset === undefined ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
    view.setUint8(at + 1, (view.getUint8(at + 1) & 0x0f) | (source << 4));
    view.setInt32(at + 4, fd, true);
    view.setInt32(at + 12, offset ?? 0, true);
  }
  return instructions;
}

/** Names the missing permission or feature; else the end of the verifier's log, with all of it as the cause. */
export function refusal(what: string, result: number, log: string): AppError {
  const error = errnoName(result);
  if (error === 'EPERM' || error === 'EACCES') {
    // The verifier says EACCES, too; then there is a log.
    if (log === '') {
      return new AppError('DATAPATH_NOT_PERMITTED', `Cannot ${what}: ${error}`, {
        hint: DATAPATH_ERRORS.DATAPATH_NOT_PERMITTED.cure,
      });
    }
  }
  const helper = HELPERS[/(?:unknown func \w+|func unknown|use helper \w+)#(\d+)/.exec(log)?.[1] ?? ''];
  if (helper !== undefined) return tooOld(what, `helper ${helper.name}`, helper.since);
  const lines = log.trimEnd().split('\n');
  const shown = lines.slice(-LOG_LINES_SHOWN).join('\n');
  const omitted = Math.max(0, lines.length - LOG_LINES_SHOWN);
  return new AppError(
    'DATAPATH_PROGRAM_REFUSED',
    `Cannot ${what}: ${error}\n(${omitted} lines omitted)\n${shown}`,
    {
      cause: new Error(log),
      hint: DATAPATH_ERRORS.DATAPATH_PROGRAM_REFUSED.cure,
    },
  );
}

export function tooOld(what: string, feature: string, minimum: string): AppError {
  const message = `Cannot ${what}: ${feature} needs Linux ${minimum}: received ${release()}`;
  return new AppError('DATAPATH_KERNEL_TOO_OLD', message, {
    hint: DATAPATH_ERRORS.DATAPATH_KERNEL_TOO_OLD.cure,
  });
}
