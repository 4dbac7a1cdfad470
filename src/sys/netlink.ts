/**
 * rtnetlink questions about the namespace of the calling thread: which interface leads to an address, and what that
 * interface is. One socket per question, closed again: they are asked when pods come and go, not per packet.
 */

import { AppError } from '../fault/app-error.ts';
import { type Ip, ipBytes, ipFamily } from '../net/ip.ts';
import { checkCall, errnoName } from './errors.ts';
import { openLibc } from './libc.ts';
import { encodeStruct, readField } from './struct.ts';
import { IFINFOMSG, NLMSGERR, NLMSGHDR, RTATTR, RTMSG } from './uapi.gen.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const NETLINK_ROUTE = 0;
const NLM_F_REQUEST = 1;
const NLMSG_ERROR = 2;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_VIA = 18;
const RTN_LOCAL = 2;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_LINK_NETNSID = 37;
const REPLY_BYTES = 32768;

export interface RouteAnswer {
  readonly ifindex: number;
  /** The address is this namespace's own. */
  readonly local: boolean;
  /** The packet goes to a router, not to the address itself. */
  readonly viaGateway: boolean;
}

export interface LinkAnswer {
  readonly ifindex: number;
  readonly name: string;
  /** `veth`, `bridge`; empty for physical and loopback interfaces. */
  readonly kind: string;
  readonly mac: Uint8Array;
  /** The id by which this namespace knows the one that the peer lives in; absent when it is the same namespace. */
  readonly peerNetnsId?: number;
}

/** Which interface a packet to `address` leaves by; undefined when there is no route. */
export function findRoute(address: Ip): RouteAnswer | undefined {
  const bytes = ipBytes(address);
  const family = ipFamily(address) === 4 ? AF_INET : AF_INET6;
  const message = encodeStruct(RTMSG, { rtm_family: family, rtm_dst_len: bytes.length * 8 });
  const reply = ask(
    RTM_GETROUTE,
    RTM_NEWROUTE,
    [message, attribute(RTA_DST, bytes)],
    `find the route to ${address}`,
  );
  if (reply === undefined) return undefined;
  const attributes = decodeAttributes(reply.subarray(RTMSG.size));
  const oif = attributes.get(RTA_OIF);
  if (oif === undefined) return undefined;
  return {
    ifindex: u32(oif),
    local: readField(RTMSG, 'rtm_type', viewOf(reply)) === RTN_LOCAL,
    viaGateway: attributes.has(RTA_GATEWAY) || attributes.has(RTA_VIA),
  };
}

/** Undefined when there is no such interface (any more). */
export function findLink(ifindex: number): LinkAnswer | undefined {
  const message = encodeStruct(IFINFOMSG, { ifi_index: ifindex });
  const reply = ask(RTM_GETLINK, RTM_NEWLINK, [message], `read interface ${ifindex}`);
  if (reply === undefined) return undefined;
  const attributes = decodeAttributes(reply.subarray(IFINFOMSG.size));
  const info = decodeAttributes(attributes.get(IFLA_LINKINFO) ?? new Uint8Array());
  const peer = attributes.get(IFLA_LINK_NETNSID);
  return {
    ifindex,
    name: text(attributes.get(IFLA_IFNAME)),
    kind: text(info.get(IFLA_INFO_KIND)),
    mac: attributes.get(IFLA_ADDRESS) ?? new Uint8Array(),
    ...(peer === undefined ? {} : { peerNetnsId: u32(peer) }),
  };
}

/** Sends one request and returns the payload of its reply, without the netlink header. */
export function ask(
  type: number,
  replyType: number,
  parts: readonly Uint8Array[],
  what: string,
): Uint8Array | undefined {
  const libc = openLibc();
  const length = parts.reduce<number>((sum, part) => sum + part.length, NLMSGHDR.size);
  const header = encodeStruct(NLMSGHDR, { nlmsg_len: length, nlmsg_type: type, nlmsg_flags: NLM_F_REQUEST });
  const fd = checkCall(what, libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE));
  try {
    checkCall(what, libc.send(fd, Buffer.concat([header, ...parts])));
    const bytes = new Uint8Array(REPLY_BYTES);
    const got = checkCall(what, libc.recv(fd, bytes, 0));
    return decodeReply(bytes.subarray(0, got), replyType, what);
  } finally {
    libc.close(fd);
  }
}

const NOTHING_THERE: readonly string[] = [
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENODEV',
  'ENOENT',
  'ESRCH',
  'EACCES',
];

function decodeReply(reply: Uint8Array, wanted: number, what: string): Uint8Array | undefined {
  if (reply.length < NLMSGHDR.size) throw new AppError('SYS_NETLINK_REPLY', `Cannot ${what}: short reply`);
  const view = viewOf(reply);
  const type = readField(NLMSGHDR, 'nlmsg_type', view);
  const payload = reply.subarray(NLMSGHDR.size, readField(NLMSGHDR, 'nlmsg_len', view));
  if (type === wanted) return payload;
  if (type !== NLMSG_ERROR) {
    throw new AppError('SYS_NETLINK_REPLY', `Cannot ${what}: unexpected reply: received type ${type}`);
  }
  const error = readField(NLMSGERR, 'error', viewOf(payload)) | 0;
  if (NOTHING_THERE.includes(errnoName(error))) return undefined;
  checkCall(what, error);
  return undefined;
}

/** One attribute, padded. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const header = encodeStruct(RTATTR, { rta_len: RTATTR.size + value.length, rta_type: type });
  return Buffer.concat([header, value, new Uint8Array(-value.length & 3)]);
}

/** Attributes are padded to 4 bytes; a length that does not fit ends the list. */
export function decodeAttributes(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (let at = 0; at + RTATTR.size <= bytes.length; ) {
    const view = viewOf(bytes.subarray(at));
    const length = readField(RTATTR, 'rta_len', view);
    if (length < RTATTR.size || at + length > bytes.length) break;
    // The two top bits say "nested" and "network order".
    found.set(readField(RTATTR, 'rta_type', view) & 0x3fff, bytes.slice(at + RTATTR.size, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function u32(bytes: Uint8Array): number {
  return viewOf(bytes).getUint32(0, true);
}

function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes ?? new Uint8Array()).replace(/\0.*$/s, '');
}
