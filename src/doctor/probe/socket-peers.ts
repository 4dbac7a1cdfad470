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
const TABLES = { UDP: ['udp', 'udp6'], TCP: ['tcp', 'tcp6'] } as const;

/** By `UDP 41022`: protocol and local port. Empty where the tables cannot be read. */
export function socketPeers(): ReadonlyMap<string, SocketPeer> {
  const found = new Map<string, SocketPeer>();
  for (const protocol of ['UDP', 'TCP'] as const) {
    for (const table of TABLES[protocol]) {
      for (const [port, peer] of parsePeers(tableText(table))) found.set(`${protocol} ${port}`, peer);
    }
  }
  return found;
}

function tableText(table: string): string {
  try {
    return readBounded(`/proc/thread-self/net/${table}`, MOST_BYTES);
  } catch {
    // A kernel without IPv6 has no such table.
    return '';
  }
}

/** Of proc_pid_net(5): those that are connected, by their local port. */
export function parsePeers(text: string): ReadonlyMap<number, SocketPeer> {
  const found = new Map<number, SocketPeer>();
  for (const line of text.split('\n')) {
    const match = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) /.exec(line);
    if (match === null) continue;
    const [, local = '', address = '', remote = ''] = match;
    const port = Number.parseInt(remote, 16);
    if (port !== 0) found.set(Number.parseInt(local, 16), { address: addressOf(address), port });
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
