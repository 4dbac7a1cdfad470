/**
 * Connected UDP sockets of the namespace of the calling thread, and how one of them is ended from outside: sock_diag(7).
 * Unconnected sockets never appear here: they are left out by state, in the kernel.
 */
import { type Ip, ipFromBytes } from '../../net/ip.ts';
import { checkCall, errnoName } from '../errors.ts';
import { openLibc } from '../libc.ts';
import { encodeStruct, readField } from '../struct.ts';
import { INET_DIAG_MSG, INET_DIAG_REQ_V2, NLMSGERR, NLMSGHDR } from '../uapi.gen.ts';
import { viewOf } from './attributes.ts';

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
const REPLY_BYTES = 65536;
const WHAT = 'list UDP sockets';

export interface ConnectedSocket {
  /** 2 or 10: of the socket, not of its addresses. */
  readonly family: number;
  /** IPv4 also when the socket is one of IPv6. */
  readonly peer: Ip;
  readonly peerPort: number;
  /** As programs have it; no later socket gets it again. */
  readonly cookie: bigint;
  /** `struct inet_diag_sockid`, the cookie included. */
  readonly id: Uint8Array;
}

/** Of both families. Throws SYS_CALL_FAILED; ENOENT where the kernel is built without INET_UDP_DIAG. */
export function connectedUdpSockets(): readonly ConnectedSocket[] {
  const libc = openLibc();
  const fd = checkCall(WHAT, libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG));
  try {
    return [...dumpFamily(fd, AF_INET), ...dumpFamily(fd, AF_INET6)];
  } finally {
    libc.close(fd);
  }
}

/**
 * Its next or waiting system call fails with ECONNABORTED, and it is connected no more. `OK`, `ENOENT` when it is gone,
 * `EOPNOTSUPP` where the kernel is built without INET_DIAG_DESTROY.
 */
export function endUdpSocket({ family, id }: Pick<ConnectedSocket, 'family' | 'id'>): string {
  const request = encodeRequest(family);
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

function encodeRequest(family: number): Uint8Array {
  return encodeStruct(INET_DIAG_REQ_V2, {
    sdiag_family: family,
    sdiag_protocol: IPPROTO_UDP,
    idiag_states: 1 << CONNECTED,
  });
}

function dumpFamily(fd: number, family: number): readonly ConnectedSocket[] {
  send(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, [encodeRequest(family)]);
  const found: ConnectedSocket[] = [];
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
      const socket = decodeSocket(payload);
      if (socket !== undefined) found.push(socket);
      at += (length + 3) & ~3;
    }
  }
}

/** A kernel without IPv6 knows no such sockets. */
function checkFamily(family: number, error: number): void {
  if (family === AF_INET || errnoName(error) !== 'ENOENT') checkCall(WHAT, error);
}

function decodeSocket(payload: Uint8Array): ConnectedSocket | undefined {
  if (payload.length < INET_DIAG_MSG.size) return undefined;
  const view = viewOf(payload);
  const family = readField(INET_DIAG_MSG, 'idiag_family', view);
  const { fields } = INET_DIAG_MSG;
  const idAt = fields['id.idiag_sport'][0];
  const peerAt = fields['id.idiag_dst'][0];
  const peer = payload.subarray(peerAt, peerAt + (family === AF_INET ? 4 : 16));
  return {
    family,
    peer: ipFromBytes(peer),
    peerPort: view.getUint16(fields['id.idiag_dport'][0], false),
    cookie: view.getBigUint64(fields['id.idiag_cookie'][0], true),
    id: payload.slice(idAt, fields['id.idiag_cookie'][0] + fields['id.idiag_cookie'][1]),
  };
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
