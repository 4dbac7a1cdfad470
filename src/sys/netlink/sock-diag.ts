/**
 * Sockets of the namespace of the calling thread, asked for by state, and how a connected UDP socket is ended from
 * outside: sock_diag(7).
 */
import { type Ip, ipFromBytes } from '../../net/ip.ts';
import { checkCall, errnoName } from '../errors.ts';
import { openLibc } from '../libc.ts';
import { encodeStruct, readField } from '../struct.ts';
import { INET_DIAG_MSG, INET_DIAG_REQ_V2, NLMSGERR, NLMSGHDR } from '../uapi.gen.ts';
import { decodeAttributes, viewOf } from './attributes.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const NETLINK_SOCK_DIAG = 4;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const SOCK_DIAG_BY_FAMILY = 20;
const SOCK_DESTROY = 21;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_UDP = 17;
/** What the kernel calls a connected UDP socket: TCP_ESTABLISHED. */
const CONNECTED = 1;
/** How the kernel calls an unconnected UDP socket, and a TCP socket that listens: TCP_CLOSE, TCP_LISTEN. */
const UNCONNECTED = 7;
const LISTENING = 10;
const IPPROTO_TCP = 6;
const INET_DIAG_CGROUP_ID = 21;
const REPLY_BYTES = 65536;
const WHAT = 'list sockets';

export interface ConnectedSocket {
  /** 2 or 10: of the socket, not of its addresses. */
  readonly family: number;
  /** IPv4 also when the socket is one of IPv6. */
  readonly peer: Ip;
  readonly peerPort: number;
  /** As programs have it; no later socket gets it again. */
  readonly cookie: bigint;
  /** Of its process when it was opened; 0 where the kernel (before 5.8) does not tell. */
  readonly cgroupId: bigint;
  /** `struct inet_diag_sockid`, the cookie included. */
  readonly id: Uint8Array;
}

/** A socket that takes questions from everybody: of TCP one that listens, of UDP one that is bound and not connected. */
export interface ServingSocket {
  readonly protocol: 'udp' | 'tcp';
  /** `0.0.0.0` or `::` for all. */
  readonly address: Ip;
  readonly port: number;
  /** Of its process when it was opened; 0 where the kernel (before 5.8) does not tell. */
  readonly cgroupId: bigint;
}

/** Of both families. Throws SYS_CALL_FAILED; ENOENT where the kernel is built without INET_UDP_DIAG. */
export function connectedUdpSockets(): readonly ConnectedSocket[] {
  return dump(IPPROTO_UDP, CONNECTED).map(decodeConnected);
}

/** Of both families and protocols. Throws SYS_CALL_FAILED. */
export function servingSockets(): readonly ServingSocket[] {
  const udp = dump(IPPROTO_UDP, UNCONNECTED).map((payload) => decodeServing(payload, 'udp'));
  const tcp = dump(IPPROTO_TCP, LISTENING).map((payload) => decodeServing(payload, 'tcp'));
  return [...udp, ...tcp].filter(({ port }) => port !== 0);
}

/**
 * Its next or waiting system call fails with ECONNABORTED, and it is connected no more. `OK`, `ENOENT` when it is gone,
 * `EOPNOTSUPP` where the kernel is built without INET_DIAG_DESTROY.
 */
export function endUdpSocket({ family, id }: Pick<ConnectedSocket, 'family' | 'id'>): string {
  const request = encodeRequest(family, IPPROTO_UDP, CONNECTED);
  request.set(id, INET_DIAG_REQ_V2.fields['id.idiag_sport'][0]);
  const libc = openLibc();
  const fd = checkCall(WHAT, libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG));
  try {
    send(fd, SOCK_DESTROY, NLM_F_ACK, [request]);
    const reply = receive(fd);
    return errnoName(readField(NLMSGERR, 'error', viewOf(reply.subarray(NLMSGHDR.size))) | 0);
  } finally {
    libc.close(fd);
  }
}

function encodeRequest(family: number, protocol: number, state: number): Uint8Array {
  return encodeStruct(INET_DIAG_REQ_V2, {
    sdiag_family: family,
    sdiag_protocol: protocol,
    idiag_states: 1 << state,
  });
}

/** `struct inet_diag_msg` and its attributes, of both families. */
function dump(protocol: number, state: number): readonly Uint8Array[] {
  const libc = openLibc();
  const fd = checkCall(WHAT, libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG));
  try {
    return [AF_INET, AF_INET6].flatMap((family) => {
      send(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, [encodeRequest(family, protocol, state)]);
      return receiveDump(fd, family).filter((payload) => payload.length >= INET_DIAG_MSG.size);
    });
  } finally {
    libc.close(fd);
  }
}

function receiveDump(fd: number, family: number): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (;;) {
    const datagram = receive(fd);
    for (let at = 0; at + NLMSGHDR.size <= datagram.length; ) {
      const header = viewOf(datagram.subarray(at));
      const length = readField(NLMSGHDR, 'nlmsg_len', header);
      if (length < NLMSGHDR.size || at + length > datagram.length) break;
      const payload = datagram.subarray(at + NLMSGHDR.size, at + length);
      const type = readField(NLMSGHDR, 'nlmsg_type', header);
      if (type === NLMSG_DONE || type === NLMSG_ERROR) {
        checkFamily(family, payload.length < 4 ? 0 : viewOf(payload).getInt32(0, true));
        return found;
      }
      found.push(payload);
      at += (length + 3) & ~3;
    }
  }
}

/** A kernel without IPv6 knows no such sockets. */
function checkFamily(family: number, error: number): void {
  if (family === AF_INET || errnoName(error) !== 'ENOENT') checkCall(WHAT, error);
}

const { fields: FIELDS } = INET_DIAG_MSG;

function addressAt(payload: Uint8Array, field: 'id.idiag_src' | 'id.idiag_dst'): Ip {
  const [at] = FIELDS[field];
  const family = readField(INET_DIAG_MSG, 'idiag_family', viewOf(payload));
  return ipFromBytes(payload.subarray(at, at + (family === AF_INET ? 4 : 16)));
}

function decodeConnected(payload: Uint8Array): ConnectedSocket {
  const view = viewOf(payload);
  const [cookieAt, cookieBytes] = FIELDS['id.idiag_cookie'];
  return {
    family: readField(INET_DIAG_MSG, 'idiag_family', view),
    peer: addressAt(payload, 'id.idiag_dst'),
    peerPort: view.getUint16(FIELDS['id.idiag_dport'][0], false),
    cookie: view.getBigUint64(cookieAt, true),
    cgroupId: cgroupOf(payload),
    id: payload.slice(FIELDS['id.idiag_sport'][0], cookieAt + cookieBytes),
  };
}

function decodeServing(payload: Uint8Array, protocol: 'udp' | 'tcp'): ServingSocket {
  return {
    protocol,
    address: addressAt(payload, 'id.idiag_src'),
    port: viewOf(payload).getUint16(FIELDS['id.idiag_sport'][0], false),
    cgroupId: cgroupOf(payload),
  };
}

function cgroupOf(payload: Uint8Array): bigint {
  const cgroup = decodeAttributes(payload.subarray(INET_DIAG_MSG.size)).get(INET_DIAG_CGROUP_ID);
  return cgroup === undefined || cgroup.length < 8 ? 0n : viewOf(cgroup).getBigUint64(0, true);
}

function send(fd: number, type: number, flags: number, parts: readonly Uint8Array[]): void {
  const length = parts.reduce<number>((sum, part) => sum + part.length, NLMSGHDR.size);
  const header = encodeStruct(NLMSGHDR, {
    nlmsg_len: length,
    nlmsg_type: type,
    nlmsg_flags: NLM_F_REQUEST | flags,
  });
  checkCall(WHAT, openLibc().send(fd, Buffer.concat([header, ...parts])));
}

function receive(fd: number): Uint8Array {
  const bytes = new Uint8Array(REPLY_BYTES);
  return bytes.subarray(0, checkCall(WHAT, openLibc().recv(fd, bytes, 0)));
}
