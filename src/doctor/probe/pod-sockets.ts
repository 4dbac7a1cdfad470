/**
 * Sockets that live in a pod's network namespace, opened and connected there in one synchronous visit and used from outside
 * afterwards: a socket stays where it was opened. They are in the doctor's own cgroup: programs on the root cgroup that go
 * by namespace see them as the pod's, those on the pod's own cgroup do not.
 */
import { fstatSync } from 'node:fs';
import type { Ip } from '../../net/ip.ts';
import { ipFamily } from '../../net/ip.ts';
import { errnoName } from '../../sys/errors.ts';
import { openLibc } from '../../sys/libc.ts';
import { insideNamespace, type NetNamespace } from '../../sys/netns/namespaces.ts';
import { decodeSockaddr, encodeSockaddr, sockaddrBytes } from '../../sys/sockaddr.ts';
import { type SocketPeer, socketPeers } from './socket-peers.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const CLOEXEC_NONBLOCK = 0x80000 | 0x800;
/** Of a TCP socket that does not wait; Node has no name for it. */
const EINPROGRESS = 115;

/** Descriptors are the caller's, to be closed once. */
export interface PodSocket {
  readonly fd: number;
  readonly sourcePort: number;
  /** Whom it is really connected to, when that is somebody else: a program at connect() has changed it. */
  readonly peer?: SocketPeer;
}

export interface PodSocketSpec {
  readonly protocol: 'UDP' | 'TCP';
  readonly address: Ip;
  readonly port: number;
}

/**
 * One per spec, in order: a socket, or the name of the error that connecting gave at once (`ENETUNREACH`). Undefined when the
 * namespace is gone. Throws SYS_CALL_FAILED when it may not be entered.
 */
export function openPodSockets(
  namespace: NetNamespace,
  specs: readonly PodSocketSpec[],
): readonly (PodSocket | string)[] | undefined {
  return insideNamespace(namespace, () => {
    const opened = specs.map(openOne);
    const peers = socketPeers();
    return opened.map((socket, i) => withPeer(socket, specs[i], peers));
  });
}

function withPeer(
  socket: PodSocket | string,
  spec: PodSocketSpec | undefined,
  peers: ReadonlyMap<number, SocketPeer>,
): PodSocket | string {
  if (typeof socket === 'string' || spec === undefined) return socket;
  const peer = peers.get(fstatSync(socket.fd).ino);
  const isOther = peer !== undefined && (peer.address !== spec.address || peer.port !== spec.port);
  return isOther ? { ...socket, peer } : socket;
}

function openOne({ protocol, address, port }: PodSocketSpec): PodSocket | string {
  const libc = openLibc();
  const family = ipFamily(address);
  const type = (protocol === 'UDP' ? SOCK_DGRAM : SOCK_STREAM) | CLOEXEC_NONBLOCK;
  const fd = libc.socket(family === 4 ? AF_INET : AF_INET6, type, 0);
  if (fd < 0) return errnoName(fd);
  const result = libc.connect(fd, encodeSockaddr(address, port));
  if (result < 0 && result !== -EINPROGRESS) {
    libc.close(fd);
    return errnoName(result);
  }
  const own = new Uint8Array(sockaddrBytes(family));
  return { fd, sourcePort: libc.getsockname(fd, own) < 0 ? 0 : (decodeSockaddr(own)?.port ?? 0) };
}
