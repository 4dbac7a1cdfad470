/**
 * Open descriptors from one process to another (SCM_RIGHTS, unix(7)): what is received is another descriptor of the same
 * open socket, which lives as long as one of them does. A channel keeps messages apart (SOCK_SEQPACKET) and never waits.
 * Who may connect is a matter of the file's mode; whoever accepts must close what it received.
 */
import { hasKnownLayout } from './datagram-batch.ts';
import { checkCall, errnoName } from './errors.ts';
import { openLibc } from './libc.ts';
import { PollSet } from './poll-set.ts';
import { encodeStruct } from './struct.ts';
import { SOCKADDR_UN } from './uapi.gen.ts';

const AF_UNIX = 1;
const SEQPACKET_FLAGS = 5 | 0x80000 | 0x800;
const CLOEXEC_NONBLOCK = 0x80000 | 0x800;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const MSG_CTRUNC = 8;

/** Of one message; the kernel takes 253 descriptors. */
export const MAX_DESCRIPTORS = 64;
export const MAX_MESSAGE_BYTES = 32_768;

/** `struct mmsghdr` of 64-bit little-endian Linux, offsets in bytes. */
const HEADER_BYTES = 64;
const VECTORS = 16;
const VECTOR_COUNT = 24;
const CONTROL = 32;
const CONTROL_LENGTH = 40;
const FLAGS = 48;
const LENGTH = 56;
/** `struct iovec` and `struct cmsghdr` are of this size both. */
const PAIR_BYTES = 16;

export interface ReceivedMessage {
  readonly bytes: Uint8Array;
  /** The receiver's to close. */
  readonly fds: readonly number[];
}

export class DescriptorChannel {
  readonly #libc = openLibc();
  readonly #fd: number;
  #poll: PollSet | undefined;
  #isClosed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The receiver's descriptors are new ones: ours stay open. Throws SYS_CALL_FAILED, also when nobody reads any more. */
  send(bytes: Uint8Array, fds: readonly number[] = []): void {
    const control = new Uint8Array(fds.length === 0 ? 0 : PAIR_BYTES + align(4 * fds.length));
    if (fds.length > 0) {
      const view = new DataView(control.buffer);
      view.setBigUint64(0, BigInt(PAIR_BYTES + 4 * fds.length), true);
      view.setInt32(8, SOL_SOCKET, true);
      view.setInt32(12, SCM_RIGHTS, true);
      fds.forEach((fd, i) => {
        view.setInt32(PAIR_BYTES + 4 * i, fd, true);
      });
    }
    const { header, kept } = this.#header(bytes, control);
    const at = Number(this.#libc.address(header));
    const result = this.#libc.sendmmsg(this.#fd, at, 1, MSG_NOSIGNAL);
    kept.length = 0;
    checkCall('send descriptors', result);
  }

  /** Whether `receive` would not say `nothing`; cheaper than asking it, for those who ask often. */
  isReady(): boolean {
    this.#poll ??= new PollSet([this.#fd]);
    return this.#poll.wait(0) !== 0;
  }

  /** `nothing` for now, or `closed` for ever: the other side has ended, however it did. */
  receive(): ReceivedMessage | 'nothing' | 'closed' {
    const bytes = new Uint8Array(MAX_MESSAGE_BYTES);
    const control = new Uint8Array(PAIR_BYTES + 4 * MAX_DESCRIPTORS);
    const { header, kept } = this.#header(bytes, control);
    const result = this.#libc.recvmmsg(this.#fd, Number(this.#libc.address(header)), 1, MSG_CMSG_CLOEXEC);
    kept.length = 0;
    if (result < 0) return errnoName(result) === 'EAGAIN' ? 'nothing' : 'closed';
    const view = new DataView(header.buffer, header.byteOffset);
    const fds = descriptorsIn(control.subarray(0, Number(view.getBigUint64(CONTROL_LENGTH, true))));
    const length = view.getUint32(LENGTH, true);
    const isCut = (view.getInt32(FLAGS, true) & MSG_CTRUNC) !== 0;
    if (length > 0 && !isCut) return { bytes: bytes.slice(0, length), fds };
    for (const fd of fds) this.#libc.close(fd);
    return 'closed';
  }

  close(): void {
    if (!this.#isClosed) this.#libc.close(this.#fd);
    this.#isClosed = true;
  }

  /** `kept` holds what the header points to, until the call is over. */
  #header(bytes: Uint8Array, control: Uint8Array): { header: Uint8Array; kept: Uint8Array[] } {
    const header = new Uint8Array(HEADER_BYTES);
    const vector = new Uint8Array(PAIR_BYTES);
    const vectorView = new DataView(vector.buffer);
    vectorView.setBigUint64(0, BigInt(this.#libc.address(bytes)), true);
    vectorView.setBigUint64(8, BigInt(bytes.length), true);
    const view = new DataView(header.buffer);
    view.setBigUint64(VECTORS, BigInt(this.#libc.address(vector)), true);
    view.setBigUint64(VECTOR_COUNT, 1n, true);
    if (control.length > 0) view.setBigUint64(CONTROL, BigInt(this.#libc.address(control)), true);
    view.setBigUint64(CONTROL_LENGTH, BigInt(control.length), true);
    return { header, kept: [bytes, control, vector] };
  }
}

export interface ChannelListener {
  /** Who has connected already; undefined when nobody has. */
  accept(): DescriptorChannel | undefined;
  close(): void;
}

/** Makes the file, which the caller removes. Throws SYS_LIBC_UNAVAILABLE and SYS_CALL_FAILED. */
export function listenForDescriptors(path: string, { backlog = 1 } = {}): ChannelListener {
  const libc = openLibc();
  // May throw: before there is a descriptor to close and a mask to restore.
  const address = unixAddress(path);
  const fd = openSeqpacket(`listen at ${path}`);
  const mask = process.umask(0o177);
  const bound = libc.bind(fd, address);
  process.umask(mask);
  const result = bound < 0 ? bound : libc.listen(fd, backlog);
  if (result < 0) libc.close(fd);
  checkCall(`listen at ${path}`, result);
  return {
    accept() {
      const accepted = libc.accept(fd, CLOEXEC_NONBLOCK);
      return accepted < 0 ? undefined : new DescriptorChannel(accepted);
    },
    close: () => void libc.close(fd),
  };
}

/** Throws SYS_LIBC_UNAVAILABLE and SYS_CALL_FAILED. */
export function connectForDescriptors(path: string): DescriptorChannel {
  const libc = openLibc();
  const address = unixAddress(path);
  const fd = openSeqpacket(`connect to ${path}`);
  const result = libc.connect(fd, address);
  if (result < 0) libc.close(fd);
  checkCall(`connect to ${path}`, result);
  return new DescriptorChannel(fd);
}

function openSeqpacket(what: string): number {
  if (!hasKnownLayout()) checkCall(what, -38);
  return checkCall(what, openLibc().socket(AF_UNIX, SEQPACKET_FLAGS, 0));
}

function unixAddress(path: string): Uint8Array {
  const bytes = new TextEncoder().encode(`${path}\0`);
  const [offset, room] = SOCKADDR_UN.fields.sun_path;
  if (bytes.length > room) checkCall(`use the path ${path}`, -36);
  return encodeStruct(SOCKADDR_UN, { sun_family: AF_UNIX, sun_path: bytes }).slice(0, offset + bytes.length);
}

function descriptorsIn(control: Uint8Array): number[] {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  if (control.length < PAIR_BYTES || view.getInt32(12, true) !== SCM_RIGHTS) return [];
  const count = (Number(view.getBigUint64(0, true)) - PAIR_BYTES) / 4;
  return Array.from({ length: count }, (_, i) => view.getInt32(PAIR_BYTES + 4 * i, true));
}

/** Of control data, to 8 bytes. */
function align(length: number): number {
  return (length + 7) & ~7;
}
