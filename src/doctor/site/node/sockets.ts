/** Who is bound to the ports of DNS servers and of what watches them: as `ss -lnp` shows it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Protocol } from '../../../net/port.ts';
import { parseProcNet } from '../../../sys/bound-sockets.ts';
import { type SocketFact, WATCHED_PORTS } from '../node-facts.ts';

const TCP_LISTEN = '0A';
const UDP_UNCONNECTED = '07';
const FILES: readonly (readonly [file: string, protocol: Protocol, state: string])[] = [
  ['udp', 'UDP', UDP_UNCONNECTED],
  ['udp6', 'UDP', UDP_UNCONNECTED],
  ['tcp', 'TCP', TCP_LISTEN],
  ['tcp6', 'TCP', TCP_LISTEN],
];
/** A server opens a socket per thread; more of one address and owner say nothing new. */
const MAX_SOCKETS = 512;

/** Of the namespace of the calling process. `ports`: default those the contract names. */
export function readSockets(ports: readonly number[] = WATCHED_PORTS): readonly SocketFact[] {
  const bound = FILES.flatMap(([file, protocol, state]) =>
    parseProcNet(readTable(file), state)
      .filter(({ port }) => ports.includes(port))
      .map((socket) => ({ ...socket, protocol })),
  );
  const owners = ownersOf(new Set(bound.map(({ inode }) => inode)));
  const found = new Map<string, SocketFact>();
  for (const { ip, port, protocol, inode } of bound) {
    const owner = owners.get(inode);
    const fact = { protocol, address: ip, port, ...owner };
    found.set(`${protocol} ${ip} ${port} ${owner?.pid}`, fact);
  }
  return [...found.values()].slice(0, MAX_SOCKETS);
}

/** A kernel without IPv6 has no such files. */
function readTable(file: string): string {
  try {
    return readFileSync(`/proc/self/net/${file}`, 'utf8');
  } catch (error) {
    if (!file.endsWith('6')) throw error;
    return '';
  }
}

type Owner = Required<Pick<SocketFact, 'pid' | 'command'>>;

/** Stops when all are found: to look at every descriptor of a busy node takes a while. */
function ownersOf(inodes: ReadonlySet<string>): ReadonlyMap<string, Owner> {
  const found = new Map<string, Owner>();
  for (const name of readdirSync('/proc')) {
    if (found.size === inodes.size) break;
    if (/^\d+$/.test(name)) addHeld(name, inodes, found);
  }
  return found;
}

function addHeld(pid: string, inodes: ReadonlySet<string>, found: Map<string, Owner>): void {
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const inode = inodeAt(`/proc/${pid}/fd/${fd}`);
      if (inode === undefined || !inodes.has(inode) || found.has(inode)) continue;
      found.set(inode, { pid: Number(pid), command: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() });
    }
  } catch {
    // It has ended, or is none of ours to look into.
  }
}

function inodeAt(path: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1];
  } catch {
    // Closed meanwhile.
    return undefined;
  }
}
