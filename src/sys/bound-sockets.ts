/** Which addresses and ports of this network namespace are bound, and by which socket; as `ss` shows it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { endianness } from 'node:os';
import { type Ip, ipFromBytes } from '../net/ip.ts';

export interface BoundSocket {
  readonly ip: Ip;
  readonly port: number;
  readonly inode: string;
}

const TCP_LISTEN = '0A';
const UDP_UNCONNECTED = '07';
const FILES: readonly (readonly [file: string, state: string])[] = [
  ['udp', UDP_UNCONNECTED],
  ['udp6', UDP_UNCONNECTED],
  ['tcp', TCP_LISTEN],
  ['tcp6', TCP_LISTEN],
];

/** Sockets that take queries: listening ones, and those of UDP that are not connected. */
export function boundSockets(): readonly BoundSocket[] {
  return FILES.flatMap(([file, state]) => parseProcNet(readProcNet(file), state));
}

/** Inodes of the sockets that this process holds. */
export function ownSocketInodes(): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // The descriptor that the directory was read by is gone again.
    }
  }
  return inodes;
}

/** A kernel without IPv6 has no such files. */
function readProcNet(file: string): string {
  try {
    return readFileSync(`/proc/self/net/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** Addresses stand there as 32-bit words in the machine's byte order. */
export function parseProcNet(text: string, state: string): readonly BoundSocket[] {
  const found: BoundSocket[] = [];
  for (const line of text.split('\n').slice(1)) {
    const words = line.trim().split(/\s+/);
    const [address = '', port = ''] = (words[1] ?? '').split(':');
    if (words[3] !== state || !/^([0-9A-F]{8}|[0-9A-F]{32})$/.test(address)) continue;
    const bytes = Buffer.from(address, 'hex');
    if (endianness() === 'LE') bytes.swap32();
    found.push({ ip: ipFromBytes(bytes), port: Number.parseInt(port, 16), inode: words[9] ?? '' });
  }
  return found;
}
