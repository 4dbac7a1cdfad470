/** What a process and its successor say to each other over the channel that the sockets go through. */
import { readlinkSync } from 'node:fs';
import { type Ip, parseIp } from '../../net/ip.ts';
import type { OwnSocket } from '../../sys/own-sockets.ts';

/** Of each descriptor of a message, in the same order; `last` when no more follow. */
export interface SocketsMessage {
  readonly sockets: readonly Omit<OwnSocket, 'fd'>[];
  readonly last: boolean;
}

/** Says the successor once it answers. */
export const RELEASE = 'release';

/** What the kernel calls the network that this process is in: sockets of another one are of no use here. */
export function ownNetwork(): string {
  return readlinkSync('/proc/self/ns/net');
}

export function encodeSockets({ sockets, last }: SocketsMessage): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ sockets, last }));
}

/** Undefined when it is none. */
export function decodeSockets(bytes: Uint8Array): SocketsMessage | undefined {
  const value = parseJson(new TextDecoder().decode(bytes));
  if (typeof value !== 'object' || value === null || !('sockets' in value) || !('last' in value))
    return undefined;
  if (!Array.isArray(value.sockets) || typeof value.last !== 'boolean') return undefined;
  const sockets = value.sockets.map(describedSocket);
  return sockets.every((socket) => socket !== undefined) ? { sockets, last: value.last } : undefined;
}

function describedSocket(value: unknown): { kind: OwnSocket['kind']; address: Ip; port: number } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('kind' in value) || !('address' in value) || !('port' in value)) return undefined;
  const { kind, port } = value;
  const address = parseIp(String(value.address));
  const isKnown = kind === 'udp' || kind === 'tcp';
  return isKnown && address !== undefined && typeof port === 'number' ? { kind, address, port } : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller says so.
    return undefined;
  }
}
