/**
 * What the kernel tells without being asked: a socket that listens to groups of rtnetlink. Nothing waits: `drain` takes what
 * is there. What the socket had no room for is lost, and the listener is told so.
 */

import { DatagramBatch, MSG_DONTWAIT } from '../datagram-batch.ts';
import { checkCall } from '../errors.ts';
import { openLibc } from '../libc.ts';
import { encodeStruct } from '../struct.ts';
import { SOCKADDR_NL } from '../uapi.gen.ts';
import { decodeMessages, type NetlinkMessage } from './exchange.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0x80000 | 0x800;
const NETLINK_ROUTE = 0;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_LISTEN_ALL_NSID = 8;
/** Room for the messages of a thousand interfaces between two looks. */
const RECEIVE_BUFFER_BYTES = 4 << 20;
const BATCH = 16;
/** `struct cmsghdr` of 64-bit kernels: length (8), level (4), type (4). */
const CONTROL_HEADER_BYTES = 16;
const ENOBUFS = 105;
const EINTR = 4;

/** enum rtnetlink_groups of linux/rtnetlink.h. */
export const RTNETLINK_GROUP = { LINK: 1, TC: 4, IPV4_ADDRESS: 5, IPV6_ADDRESS: 9 } as const;

export interface WatchSpec {
  readonly groups: readonly number[];
  /** Also what happens in namespaces that ours has an id for. Needs CAP_NET_BROADCAST. */
  readonly allNamespaces?: boolean;
}

export class NetlinkWatch {
  readonly #libc = openLibc();
  readonly #fd: number;
  /** False when all namespaces were asked for and refused. */
  readonly allNamespaces: boolean;
  readonly #batch = new DatagramBatch(BATCH);
  #closed = false;

  /** Of the namespace of the calling thread. Throws SYS_CALL_FAILED. */
  constructor(spec: WatchSpec) {
    const what = 'listen to network changes';
    this.#fd = checkCall(what, this.#libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC_NONBLOCK, NETLINK_ROUTE));
    try {
      if (this.#set(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES) < 0)
        this.#set(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
      this.allNamespaces =
        spec.allNamespaces === true && this.#set(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1) === 0;
      checkCall(what, this.#libc.bind(this.#fd, encodeStruct(SOCKADDR_NL, { nl_family: AF_NETLINK })));
      for (const group of spec.groups) checkCall(what, this.#set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group));
    } catch (error) {
      this.#libc.close(this.#fd);
      throw error;
    }
  }

  /**
   * Hands over everything that has come since the last time, with the id of the namespace it happened in (undefined: our
   * own). False when messages were lost, or the kernel does not let us read them any more: look at everything again.
   */
  drain(hear: (message: NetlinkMessage, netnsId: number | undefined) => void): boolean {
    let complete = true;
    while (!this.#closed) {
      const count = this.#batch.receive(this.#fd, MSG_DONTWAIT);
      if (count === -EINTR) continue;
      if (count === -ENOBUFS) {
        complete = false;
        continue;
      }
      for (let i = 0; i < count; i++) complete = this.#hand(i, hear) && complete;
      if (count < BATCH) return complete;
    }
    return complete;
  }

  #hand(i: number, hear: (message: NetlinkMessage, netnsId: number | undefined) => void): boolean {
    if (this.#batch.isCut(i)) return false;
    const at = this.#batch.packetAt(i);
    const datagram = this.#batch.bytes.slice(at, at + this.#batch.packetLength(i));
    const netnsId = this.#netnsIdOf(i);
    for (const message of decodeMessages(datagram)) hear(message, netnsId);
    return true;
  }

  /** Only there when the socket listens to all namespaces and the message is of another one. */
  #netnsIdOf(i: number): number | undefined {
    const { words } = this.#batch;
    const at = this.#batch.controlAt(i) >> 2;
    if (this.#batch.controlLength(i) < CONTROL_HEADER_BYTES + 4) return undefined;
    if (words[at + 2] !== SOL_NETLINK || words[at + 3] !== NETLINK_LISTEN_ALL_NSID) return undefined;
    return words[at + 4];
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#libc.close(this.#fd);
  }

  #set(level: number, option: number, value: number): number {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value, true);
    return this.#libc.setsockopt(this.#fd, level, option, bytes);
  }
}
