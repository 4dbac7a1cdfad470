/**
 * UDP sockets as bare descriptors, for threads that read them by themselves. Every address may be shared with other
 * sockets of this process and of others (SO_REUSEPORT): the kernel deals packets out by client. Addresses are kernel
 * `sockaddr`s here; `sockaddr.ts` makes values of them.
 */
import { errnoName } from './errors.ts';
import { openLibc } from './libc.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IP = 0;
const IP_PKTINFO = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;

export interface DatagramSocketSpec {
  readonly family: 4 | 6;
  /** `struct sockaddr_in` or `sockaddr_in6`. */
  readonly address: Uint8Array;
  /** A blocking read gives up after it. */
  readonly receiveTimeoutMs: number;
  /** Asked for; without CAP_NET_ADMIN the system caps it at `net.core.rmem_max`. */
  readonly receiveBufferBytes: number;
  /** Each packet comes with the address it was sent to, and a reply may choose the one it leaves from. */
  readonly packetInfo: boolean;
}

/** Makes a descriptor that another process opened and bound what `openDatagramSocket` gives. */
export function adoptDatagramSocket(fd: number, spec: DatagramSocketSpec): void {
  setOptions(fd, spec);
}

/** A bound descriptor, to be closed once; throws an error whose `code` is the kernel's (`EADDRINUSE`). */
export function openDatagramSocket(spec: DatagramSocketSpec): number {
  const libc = openLibc();
  const fd = checked(libc.socket(spec.family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM_CLOEXEC, 0), 'socket');
  try {
    const isV4 = spec.family === 4;
    const on = Int32Array.of(1);
    checked(libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, bytesOf(on)), 'setsockopt SO_REUSEPORT');
    if (!isV4) checked(libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, bytesOf(on)), 'setsockopt IPV6_V6ONLY');
    setOptions(fd, spec);
    checked(libc.bind(fd, spec.address), 'bind');
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Those that may be set at any time. */
function setOptions(fd: number, spec: DatagramSocketSpec): void {
  const libc = openLibc();
  if (spec.packetInfo) {
    const on = Int32Array.of(1);
    const [level, option] = spec.family === 4 ? [IPPROTO_IP, IP_PKTINFO] : [IPPROTO_IPV6, IPV6_RECVPKTINFO];
    checked(libc.setsockopt(fd, level, option, bytesOf(on)), 'setsockopt IP_PKTINFO');
  }
  const timeout = BigInt64Array.of(
    BigInt(Math.floor(spec.receiveTimeoutMs / 1000)),
    BigInt((spec.receiveTimeoutMs % 1000) * 1000),
  );
  checked(libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, bytesOf(timeout)), 'setsockopt SO_RCVTIMEO');
  enlargeReceiveBuffer(fd, spec.receiveBufferBytes);
}

/** The address a descriptor is bound to, as the kernel writes it. */
export function boundAddress(fd: number, length: number): Uint8Array {
  const address = new Uint8Array(length);
  checked(openLibc().getsockname(fd, address), 'getsockname');
  return address;
}

/**
 * New packets go to the other sockets of this address from now on, or are refused; what has arrived can still be read,
 * and replies can still be sent. A connected socket only takes what its peer sends, and `peer` is an address where
 * nobody is: without this, packets that arrive between the last read and `close` are lost. A system that refuses leaves
 * everything as it was.
 */
export function stopTaking(fd: number, peer: Uint8Array): void {
  openLibc().connect(fd, peer);
}

/** Wakes its reader too late, if there is one: whoever reads must have been told before. */
export function closeDescriptor(fd: number): void {
  openLibc().close(fd);
}

/** Without the capability to force it, and above what the system allows, less is served: smaller bursts. */
function enlargeReceiveBuffer(fd: number, bytes: number): void {
  const libc = openLibc();
  const size = bytesOf(Int32Array.of(bytes));
  if (libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size) < 0) {
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, size);
  }
}

function bytesOf(values: ArrayBufferView<ArrayBuffer>): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function checked(result: number, call: string): number {
  if (result >= 0) return result;
  const code = errnoName(result);
  throw Object.assign(new Error(`${call}: ${code}`), { code });
}
