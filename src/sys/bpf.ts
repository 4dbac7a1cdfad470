/**
 * bpf(2), one function per command we use. File descriptors belong to the caller. What can fail in the ordinary course
 * of things returns a negated errno; the rest throws an `AppError` that names the thing.
 */
import { rmSync } from 'node:fs';
import { checkCall, errnoName } from './errors.ts';
import { openLibc } from './libc.ts';
import { encodeStruct, type FieldValues, readField, type StructLayout } from './struct.ts';
import { BPF_ATTR, BPF_LINK_INFO, BPF_MAP_INFO } from './uapi.gen.ts';

/** enum bpf_cmd of linux/bpf.h. */
export const BPF_COMMAND = {
  MAP_CREATE: 0,
  MAP_LOOKUP_ELEM: 1,
  MAP_UPDATE_ELEM: 2,
  MAP_DELETE_ELEM: 3,
  MAP_GET_NEXT_KEY: 4,
  PROG_LOAD: 5,
  OBJ_PIN: 6,
  OBJ_GET: 7,
  PROG_TEST_RUN: 10,
  PROG_GET_FD_BY_ID: 13,
  OBJ_GET_INFO_BY_FD: 15,
  PROG_QUERY: 16,
  RAW_TRACEPOINT_OPEN: 17,
  BTF_LOAD: 18,
  MAP_FREEZE: 22,
  LINK_CREATE: 28,
  LINK_UPDATE: 29,
  ENABLE_STATS: 32,
  LINK_DETACH: 34,
} as const;

export const BPF_PROG_TYPE_SCHED_CLS = 3;
/** enum bpf_attach_type, Linux 6.6. */
export const BPF_TCX_INGRESS = 46;
export const BPF_TCX_EGRESS = 47;
export const BPF_F_RDONLY_PROG = 128;

export type BpfAttr = FieldValues<typeof BPF_ATTR>;

/** Returns a negated errno on failure. The buffers in `values` are reachable through it until the call returns. */
export function callBpf(command: number, values: BpfAttr): number {
  for (let attempt = 1; ; attempt++) {
    const { result } = callWithAttr(command, values);
    if (result >= 0 || attempt === TRIES || errnoName(result) !== 'EAGAIN') return result;
  }
}

/**
 * The kernel gives EAGAIN for work that it did not begin, to the verifier's callers when a signal is pending, whatever the
 * program is; the signal is delivered before the next attempt.
 */
const TRIES = 5;

/** PROG_LOAD: a descriptor or a negated errno. */
export function callProgramLoad(values: BpfAttr): number {
  return callBpf(BPF_COMMAND.PROG_LOAD, values);
}

/** For commands that answer in the attribute itself. */
export function callWithAttr(command: number, values: BpfAttr): { result: number; attr: DataView } {
  return callWithLayout(command, BPF_ATTR, values);
}

/** For commands whose part of the attribute is newer than the headers that `BPF_ATTR` was made from. */
export function callWithLayout<L extends StructLayout>(
  command: number,
  layout: L,
  values: FieldValues<L>,
): { result: number; attr: DataView } {
  inFlight.push(values);
  const attr = encodeStruct(layout, values);
  const result = openLibc().bpf(command, attr);
  inFlight.pop();
  return { result, attr: new DataView(attr.buffer) };
}

/**
 * V8 does not see that addresses inside an attribute use these buffers: what is held here cannot be collected during the
 * call. Calls are synchronous, so the last one pushed is the one that ends.
 */
const inFlight: unknown[] = [];

/** Kernel names are at most 15 bytes of letters, digits, `_` and `.`. */
export function objectName(name: string): Uint8Array {
  return new TextEncoder().encode(name.slice(0, 15));
}

/** A path as the kernel wants it. */
export function pathBytes(path: string): Uint8Array {
  return new TextEncoder().encode(`${path}\0`);
}

export function pinObject(fd: number, path: string): void {
  checkCall(`pin ${path}`, callBpf(BPF_COMMAND.OBJ_PIN, { pathname: pathBytes(path), bpf_fd: fd }));
}

/** Opens a pinned object; undefined when there is none. */
export function openPinned(path: string): number | undefined {
  const result = callBpf(BPF_COMMAND.OBJ_GET, { pathname: pathBytes(path) });
  return result === -2 ? undefined : checkCall(`open ${path}`, result);
}

/**
 * Detaches a pinned link now and removes its pin. Unpinning alone would do it some milliseconds later, and until then
 * the kernel refuses to attach the same program again (EEXIST).
 */
export function removePinnedLink(path: string): void {
  const fd = openPinned(path);
  if (fd !== undefined) {
    // Refused for a link whose interface is gone, which is detached already.
    callBpf(BPF_COMMAND.LINK_DETACH, { 'link_detach.link_fd': fd });
    openLibc().close(fd);
  }
  rmSync(path, { force: true });
}

export interface MapShape {
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
}

export function mapShape(fd: number): MapShape {
  const view = objectInfo(fd, BPF_MAP_INFO.size);
  const field = (name: keyof typeof BPF_MAP_INFO.fields) => readField(BPF_MAP_INFO, name, view);
  return {
    type: field('type'),
    keySize: field('key_size'),
    valueSize: field('value_size'),
    maxEntries: field('max_entries'),
  };
}

/** The number under which the kernel knows a map. */
export function mapId(fd: number): number {
  return readField(BPF_MAP_INFO, 'id', objectInfo(fd, BPF_MAP_INFO.size));
}

/** As it was given by `objectName`: at most 15 bytes. */
export function mapName(fd: number): string {
  const [offset, size] = BPF_MAP_INFO.fields.name;
  const bytes = new Uint8Array(objectInfo(fd, BPF_MAP_INFO.size).buffer, offset, size);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

/**
 * The interface a TCX link hangs on; 0 when the interface is gone and the link is only a shell.
 * In bpf_link_info a TCX link has its ifindex where an XDP link has it (first field of the union).
 */
export function linkIfindex(fd: number): number {
  return readField(BPF_LINK_INFO, 'xdp.ifindex', objectInfo(fd, BPF_LINK_INFO.size));
}

/** The number under which the kernel knows a link. */
export function linkId(fd: number): number {
  return readField(BPF_LINK_INFO, 'id', objectInfo(fd, BPF_LINK_INFO.size));
}

function objectInfo(fd: number, size: number): DataView {
  const info = new Uint8Array(size);
  const attr = { 'info.bpf_fd': fd, 'info.info_len': size, 'info.info': info };
  checkCall('read the info of a BPF object', callBpf(BPF_COMMAND.OBJ_GET_INFO_BY_FD, attr));
  return new DataView(info.buffer);
}
