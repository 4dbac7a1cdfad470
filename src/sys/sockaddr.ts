/** Kernel socket addresses (`sockaddr_in`, `sockaddr_in6`) and packet info to values and back. Ports are big-endian there. */
import { type Ip, type IpFamily, ipBytes, ipFamily, ipFromBytes } from '../net/ip.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;
const IPPROTO_IP = 0;
const IP_PKTINFO = 8;
const IPPROTO_IPV6 = 41;
const IPV6_PKTINFO = 50;
/** `struct cmsghdr`: length (8), level (4), type (4); then the data. */
const CONTROL_HEADER_BYTES = 16;

export function sockaddrBytes(family: IpFamily): number {
  return family === 4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
}

export function encodeSockaddr(address: Ip, port: number): Uint8Array {
  const family = ipFamily(address);
  const bytes = new Uint8Array(sockaddrBytes(family));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  bytes.set(ipBytes(address), family === 4 ? 4 : 8);
  return bytes;
}

/** Undefined for what is neither IPv4 nor IPv6: the kernel names no client when it wakes a reader for another reason. */
export function decodeSockaddr(bytes: Uint8Array): { address: Ip; port: number } | undefined {
  if (bytes.length < SOCKADDR_IN_BYTES) return undefined;
  const family = (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8);
  const port = ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0);
  // Copies: a part that shares the memory of so small an array costs more, since that has to be moved for it.
  if (family === AF_INET) return { address: ipFromBytes(bytes.slice(4, 8)), port };
  if (family !== AF_INET6 || bytes.length < SOCKADDR_IN6_BYTES) return undefined;
  return { address: ipFromBytes(bytes.slice(8, 24)), port };
}

/**
 * Which of our addresses a packet was sent to. Undefined when the kernel did not say. For a broadcast it is the address
 * that answers it.
 */
export function packetInfoAddress(control: Uint8Array): Ip | undefined {
  const at = packetInfoAt(control, 0, control.length);
  if (at === 0) return undefined;
  const isV4 = control.length < CONTROL_HEADER_BYTES + 20;
  return ipFromBytes(isV4 ? control.slice(at + 4, at + 8) : control.slice(at, at + 16));
}

/**
 * Lets the reply to a packet leave by whatever interface leads to the client: the one the query came in by is only right
 * where routes are symmetric. The address it leaves from stays the one that was asked. Returns whether there was any
 * packet info; control data that is nothing else must not be sent.
 */
export function forgetInterface(bytes: Uint8Array, controlAt: number, length: number): boolean {
  const at = packetInfoAt(bytes, controlAt, length);
  if (at === 0) return false;
  const isV4 = length < CONTROL_HEADER_BYTES + 20;
  // fe80::/10 means nothing without an interface.
  if (!isV4 && bytes[at] === 0xfe && ((bytes[at + 1] ?? 0) & 0xc0) === 0x80) return true;
  const index = isV4 ? at : at + 16;
  bytes.fill(0, index, index + 4);
  return true;
}

/** Offset of `struct in_pktinfo` or `in6_pktinfo`; 0 when it is not there. */
function packetInfoAt(bytes: Uint8Array, at: number, length: number): number {
  if (length < CONTROL_HEADER_BYTES + 12) return 0;
  const level = bytes[at + 8];
  const type = bytes[at + 12];
  const isV4 = level === IPPROTO_IP && type === IP_PKTINFO;
  const isV6 = level === IPPROTO_IPV6 && type === IPV6_PKTINFO && length >= CONTROL_HEADER_BYTES + 20;
  return isV4 || isV6 ? at + CONTROL_HEADER_BYTES : 0;
}
