/**
 * Whom the sockets of this thread's network namespace are really connected to, as the kernel's own tables have it. Programs
 * at connect() can give a socket another peer and have getpeername(2) deny it; these tables nobody translates. Only the
 * namespace is looked at, and only as far as a table of some thousand sockets goes.
 */
import { type Ip, ipFromBytes } from '../../net/ip.ts';
import { readBounded } from '../site/node/bounded-file.ts';

export interface SocketPeer {
  readonly address: Ip;
  readonly port: number;
}

/** A line is about 150 bytes: a pod with more sockets than this is left alone. */
const MOST_BYTES = 4 << 20;
const TABLES = ['udp', 'udp6', 'tcp', 'tcp6'] as const;

/**
 * By the inode of the socket, as fstat(2) has it: connections of TCP may share a local port, as those of a pod with many do.
 * Empty where the tables cannot be read.
 */
export function socketPeers(): ReadonlyMap<number, SocketPeer> {
  return new Map(TABLES.flatMap((table) => [...parsePeers(tableText(table))]));
}

function tableText(table: string): string {
  try {
    return readBounded(`/proc/thread-self/net/${table}`, MOST_BYTES);
  } catch {
    // A kernel without IPv6 has no such table.
    return '';
  }
}

/** Of proc_pid_net(5): address and port of the peer, then state, two queues, timer, retransmissions, owner, timeout and inode. */
const LINE = /^\s*\d+: \S+ ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]{2}(?: +\S+){5} +(\d+) /;

/** Those that are connected, by their inode. */
export function parsePeers(text: string): ReadonlyMap<number, SocketPeer> {
  const found = new Map<number, SocketPeer>();
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, address = '', remote = '', inode = ''] = match;
    const port = Number.parseInt(remote, 16);
    if (port !== 0) found.set(Number(inode), { address: addressOf(address), port });
  }
  return found;
}

/** Words of 32 bits, each printed as a number of this processor: little-endian on all that we run on. */
function addressOf(hex: string): Ip {
  const words = hex.match(/.{8}/g) ?? [];
  return ipFromBytes(
    Uint8Array.from(
      words.flatMap((word) => (word.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).reverse()),
    ),
  );
}
