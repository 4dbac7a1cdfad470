/** Programs that hang on a cgroup: putting one there as a link (Linux 5.7), and who else is there. */
import { BPF_COMMAND, callBpf, callWithAttr } from '../bpf.ts';
import { checkCall } from '../errors.ts';
import { openLibc } from '../libc.ts';
import { readField } from '../struct.ts';
import { BPF_ATTR, BPF_LINK_INFO, BPF_PROG_INFO } from '../uapi.gen.ts';

export const BPF_PROG_TYPE_CGROUP_SOCK = 9;
export const BPF_PROG_TYPE_CGROUP_SOCK_ADDR = 18;
/** enum bpf_attach_type of linux/bpf.h. */
export const CGROUP_ATTACH_TYPES = {
  connect4: 10,
  connect6: 11,
  sendmsg4: 14,
  sendmsg6: 15,
  recvmsg4: 19,
  recvmsg6: 20,
  getpeername4: 29,
  getpeername6: 30,
  sock_release: 34,
} as const;
export type CgroupHook = keyof typeof CGROUP_ATTACH_TYPES;

/** Ahead of all that is there; for cgroups Linux 6.17, and 6.12.110 of its series. */
const BPF_F_BEFORE = 8;
/** More than that on one hook of one cgroup are refused by the kernel (BPF_CGROUP_MAX_PROGS). */
const MOST_PROGRAMS = 64;

export interface CgroupTarget {
  readonly cgroupFd: number;
  readonly hook: CgroupHook;
}

/** A link, owned by the caller, or a negated errno. `EINVAL` for `first` where the kernel cannot order. */
export function linkToCgroup(
  program: number,
  { cgroupFd, hook }: CgroupTarget,
  place: 'first' | 'last',
): number {
  return callBpf(BPF_COMMAND.LINK_CREATE, {
    'link_create.prog_fd': program,
    'link_create.target_fd': cgroupFd,
    'link_create.attach_type': CGROUP_ATTACH_TYPES[hook],
    'link_create.flags': place === 'first' ? BPF_F_BEFORE : 0,
  });
}

export interface CgroupLinkInfo {
  /** As `stat` shows it as the inode of the cgroup's directory; 0 when the cgroup is gone. */
  readonly cgroupId: bigint;
  readonly attachType: number;
  readonly programId: number;
}

export function cgroupLinkInfo(fd: number): CgroupLinkInfo {
  const view = infoOf(fd, BPF_LINK_INFO.size);
  const at = BPF_LINK_INFO.fields['cgroup.cgroup_id'][0];
  return {
    cgroupId: view.getBigUint64(at, true),
    attachType: readField(BPF_LINK_INFO, 'cgroup.attach_type', view),
    programId: readField(BPF_LINK_INFO, 'prog_id', view),
  };
}

/** Ids of the programs on a hook of a cgroup itself, in the order in which they run. Throws SYS_CALL_FAILED. */
export function cgroupPrograms({ cgroupFd, hook }: CgroupTarget): readonly number[] {
  const ids = new Uint32Array(MOST_PROGRAMS);
  const { result, attr } = callWithAttr(BPF_COMMAND.PROG_QUERY, {
    'query.target_fd': cgroupFd,
    'query.attach_type': CGROUP_ATTACH_TYPES[hook],
    'query.prog_ids': new Uint8Array(ids.buffer),
    'query.prog_cnt': MOST_PROGRAMS,
  });
  checkCall('list the programs of a cgroup', result);
  return [...ids.subarray(0, readField(BPF_ATTR, 'query.prog_cnt', attr))];
}

/** `program <id>` where it has no name, or is gone. */
export function programName(id: number): string {
  const fallback = `program ${id}`;
  const fd = callBpf(BPF_COMMAND.PROG_GET_FD_BY_ID, { prog_id: id });
  if (fd < 0) return fallback;
  try {
    const [at, size] = BPF_PROG_INFO.fields.name;
    const view = infoOf(fd, BPF_PROG_INFO.size);
    const name = new TextDecoder().decode(new Uint8Array(view.buffer, at, size)).replace(/\0.*$/s, '');
    return name === '' ? fallback : name;
  } finally {
    openLibc().close(fd);
  }
}

function infoOf(fd: number, size: number): DataView {
  const info = new Uint8Array(size);
  const attr = { 'info.bpf_fd': fd, 'info.info_len': size, 'info.info': info };
  checkCall('read the info of a BPF object', callBpf(BPF_COMMAND.OBJ_GET_INFO_BY_FD, attr));
  return new DataView(info.buffer);
}
