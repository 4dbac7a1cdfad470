/** The sockets of this process that take queries, by asking the kernel about each descriptor: whoever opened it. */
import { readdirSync, readlinkSync } from 'node:fs';
import type { Ip } from '../net/ip.ts';
import { openLibc } from './libc.ts';
import { decodeSockaddr } from './sockaddr.ts';

const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
const SO_PROTOCOL = 38;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const SOCKADDR_BYTES = 28;

export interface OwnSocket {
  /** Of TCP those that listen, of UDP those that take packets from everybody. */
  readonly kind: 'tcp' | 'udp';
  readonly address: Ip;
  readonly port: number;
  readonly fd: number;
}

/** Throws SYS_LIBC_UNAVAILABLE. */
export function ownSockets(): readonly OwnSocket[] {
  return readdirSync('/proc/self/fd').flatMap((name) => describe(Number(name)) ?? []);
}

function describe(fd: number): OwnSocket | undefined {
  if (!isSocket(fd)) return undefined;
  const protocol = intOption(fd, SO_PROTOCOL);
  const kind = protocol === IPPROTO_TCP ? 'tcp' : protocol === IPPROTO_UDP ? 'udp' : undefined;
  if (kind === undefined) return undefined;
  const libc = openLibc();
  const name = new Uint8Array(SOCKADDR_BYTES);
  const isOpen =
    kind === 'tcp'
      ? intOption(fd, SO_ACCEPTCONN) === 1
      : libc.getpeername(fd, new Uint8Array(SOCKADDR_BYTES)) < 0;
  if (!isOpen || libc.getsockname(fd, name) < 0) return undefined;
  const bound = decodeSockaddr(name);
  return bound === undefined || bound.port === 0 ? undefined : { ...bound, kind, fd };
}

function isSocket(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
  } catch {
    // The descriptor that the directory was read by is gone again.
    return false;
  }
}

function intOption(fd: number, option: number): number | undefined {
  const value = new Int32Array(1);
  const bytes = new Uint8Array(value.buffer);
  return openLibc().getsockopt(fd, SOL_SOCKET, option, bytes) < 0 ? undefined : value[0];
}
