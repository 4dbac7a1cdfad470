/**
 * A map that keeps a value of fixed size with each socket (BPF_MAP_TYPE_SK_STORAGE, Linux 5.2). The kernel wants to know
 * the types of its keys and values, so that it can show them to others: a little BTF is made for that by hand, in which a
 * value is an array of bytes.
 */
import { BPF_COMMAND, callBpf, objectName } from '../bpf.ts';
import { openLibc } from '../libc.ts';

const BPF_MAP_TYPE_SK_STORAGE = 24;
const BPF_F_NO_PREALLOC = 1;
const BTF_MAGIC = 0xeb9f;
const BTF_HEADER_BYTES = 24;
const KIND_INT = 1;
const KIND_ARRAY = 3;
const INT_SIGNED = 1;
const INT_TYPE = 1;
const BYTE_TYPE = 2;
const VALUE_TYPE = 3;

/** A new map; returns its descriptor, or a negated errno. */
export function createSocketStorage(name: string, valueSize: number): number {
  const btf = encodeBtf(valueSize);
  const btfFd = callBpf(BPF_COMMAND.BTF_LOAD, { btf, btf_size: btf.length });
  if (btfFd < 0) return btfFd;
  try {
    return callBpf(BPF_COMMAND.MAP_CREATE, {
      map_type: BPF_MAP_TYPE_SK_STORAGE,
      key_size: 4,
      value_size: valueSize,
      max_entries: 0,
      map_flags: BPF_F_NO_PREALLOC,
      map_name: objectName(name),
      btf_fd: btfFd,
      btf_key_type_id: INT_TYPE,
      btf_value_type_id: VALUE_TYPE,
    });
  } finally {
    openLibc().close(btfFd);
  }
}

/** Header, three types, strings: the kernel's documentation, bpf/btf. */
function encodeBtf(valueSize: number): Uint8Array {
  const strings = new TextEncoder().encode('\0int\0char\0');
  const types = Uint32Array.of(
    ...[1, KIND_INT << 24, 4, (INT_SIGNED << 24) | 32],
    ...[5, KIND_INT << 24, 1, 8],
    ...[0, KIND_ARRAY << 24, 0, BYTE_TYPE, INT_TYPE, valueSize],
  );
  const bytes = new Uint8Array(BTF_HEADER_BYTES + types.byteLength + strings.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, BTF_MAGIC, true);
  view.setUint8(2, 1);
  view.setUint32(4, BTF_HEADER_BYTES, true);
  view.setUint32(12, types.byteLength, true);
  view.setUint32(16, types.byteLength, true);
  view.setUint32(20, strings.length, true);
  bytes.set(new Uint8Array(types.buffer), BTF_HEADER_BYTES);
  bytes.set(strings, BTF_HEADER_BYTES + types.byteLength);
  return bytes;
}
