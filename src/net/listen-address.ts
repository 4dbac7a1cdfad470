/** Where a server is to listen, as operators write it: `ADDRESS:PORT`, `[ADDRESS]:PORT` for IPv6, `:PORT` for all of them. */
import { type Ip, parseIp } from './ip.ts';
import { type Port, parsePort } from './port.ts';

export interface ListenAddress {
  /** Absent: every address of the machine. */
  readonly host?: Ip;
  readonly port: Port;
}

export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d+)$/.exec(text);
  const port = parsePort(match?.[3] ?? '');
  if (match === null || port === undefined) return undefined;
  const named = match[1] ?? match[2] ?? '';
  if (named === '') return { port };
  const host = parseIp(named);
  return host === undefined ? undefined : { host, port };
}

export function formatListenAddress({ host = '' as Ip, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
