/** Programs at an interface by TCX (Linux 6.6): which there are, in the order in which they run, and links of ours. */
import { BPF_COMMAND, BPF_TCX_EGRESS, BPF_TCX_INGRESS, callBpf, callWithLayout } from '../bpf.ts';
import { checkCall, errnoName } from '../errors.ts';
import { openLibc } from '../libc.ts';
import { readField } from '../struct.ts';
import { BPF_PROG_INFO, TCX_CREATE_ATTR, TCX_QUERY_ATTR } from '../uapi.gen.ts';

const BPF_F_BEFORE = 8;
const BPF_F_AFTER = 16;
/** BPF_MPROG_MAX of the kernel. */
const MAX_PROGRAMS = 64;

const ATTACH_TYPE = { in: BPF_TCX_INGRESS, out: BPF_TCX_EGRESS } as const;

export type TcxDirection = keyof typeof ATTACH_TYPE;

export interface TcxEntry {
  readonly programId: number;
  /** 0 when it was attached without a link. */
  readonly linkId: number;
}

/** Asks the kernel and not its version: distributions carry features over. */
export function hasTcx(): boolean {
  return queryTcx(1, 'in') !== undefined;
}

/** First to last; undefined when the kernel has no TCX. Nothing for an interface that is gone. */
export function queryTcx(ifindex: number, direction: TcxDirection): readonly TcxEntry[] | undefined {
  const programs = new Uint32Array(MAX_PROGRAMS);
  const links = new Uint32Array(MAX_PROGRAMS);
  const { result, attr } = callWithLayout(BPF_COMMAND.PROG_QUERY, TCX_QUERY_ATTR, {
    target_ifindex: ifindex,
    attach_type: ATTACH_TYPE[direction],
    prog_ids: new Uint8Array(programs.buffer),
    count: MAX_PROGRAMS,
    link_ids: new Uint8Array(links.buffer),
  });
  if (errnoName(result) === 'EINVAL') return undefined;
  // Nothing was ever attached, or there is no such interface.
  if (['ENOENT', 'ENODEV'].includes(errnoName(result))) return [];
  checkCall(`list the programs of interface ${ifindex}`, result);
  const count = Math.min(MAX_PROGRAMS, readField(TCX_QUERY_ATTR, 'count', attr));
  return Array.from({ length: count }, (_, i) => ({ programId: programs[i] ?? 0, linkId: links[i] ?? 0 }));
}

export interface TcxLinkSpec {
  readonly ifindex: number;
  readonly direction: TcxDirection;
  readonly program: number;
  readonly place: 'first' | 'last';
}

/** A descriptor, or a negated errno: EINVAL without TCX, EEXIST when the program is attached there already. */
export function createTcxLink({ ifindex, direction, program, place }: TcxLinkSpec): number {
  return callWithLayout(BPF_COMMAND.LINK_CREATE, TCX_CREATE_ATTR, {
    prog_fd: program,
    target_ifindex: ifindex,
    attach_type: ATTACH_TYPE[direction],
    flags: place === 'first' ? BPF_F_BEFORE : BPF_F_AFTER,
  }).result;
}

/** As it was loaded, at most 15 characters; undefined when it is gone, has none, or we may not look (CAP_SYS_ADMIN). */
export function programName(programId: number): string | undefined {
  const fd = callBpf(BPF_COMMAND.PROG_GET_FD_BY_ID, { prog_id: programId });
  if (fd < 0) return undefined;
  try {
    const name = programInfo(fd).subarray(...nameRange());
    return new TextDecoder().decode(name).replace(/\0.*$/s, '') || undefined;
  } finally {
    openLibc().close(fd);
  }
}

/** The number under which the kernel knows a loaded program. */
export function programId(fd: number): number {
  return readField(BPF_PROG_INFO, 'id', new DataView(programInfo(fd).buffer));
}

function programInfo(fd: number): Uint8Array {
  const info = new Uint8Array(BPF_PROG_INFO.size);
  const attr = { 'info.bpf_fd': fd, 'info.info_len': info.length, 'info.info': info };
  checkCall('read the info of a program', callBpf(BPF_COMMAND.OBJ_GET_INFO_BY_FD, attr));
  return info;
}

function nameRange(): readonly [number, number] {
  const [at, size] = BPF_PROG_INFO.fields.name;
  return [at, at + size];
}
