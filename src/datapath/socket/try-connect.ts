/**
 * What would become of a process that connects now: found by doing it, with a socket that sends nothing. Who comes first
 * at the hooks, who is alive and who is exempt then need no second opinion beside that of the programs.
 */
import { ipFamily } from '../../net/ip.ts';
import type { BpfMap } from '../../sys/bpf-map.ts';
import { openLibc } from '../../sys/libc.ts';
import { encodeSockaddr } from '../../sys/sockaddr.ts';
import type { SocketPlace } from './other-backends.ts';
import { encodeConnectionKey } from './socket-abi.gen.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const SOL_SOCKET = 1;
const SO_COOKIE = 57;

/**
 * Whether our programs redirect a UDP socket of this thread, in the namespace it is in, that connects there. It counts
 * as any other socket does. False also where this process is not below the cgroup of the programs.
 */
export function isRedirectedFromHere(connections: BpfMap, { address, port }: SocketPlace): boolean {
  const libc = openLibc();
  const fd = libc.socket(ipFamily(address) === 4 ? AF_INET : AF_INET6, SOCK_DGRAM_CLOEXEC, 0);
  // A namespace without this family.
  if (fd < 0) return false;
  try {
    const cookie = new BigUint64Array(1);
    if (libc.getsockopt(fd, SOL_SOCKET, SO_COOKIE, new Uint8Array(cookie.buffer)) < 0) return false;
    // For want of a route it may fail; the programs have seen it by then.
    libc.connect(fd, encodeSockaddr(address, port));
    return connections.lookup(encodeConnectionKey({ cookie: cookie[0] ?? 0n })) !== undefined;
  } finally {
    libc.close(fd);
  }
}
