/** Ports and transport protocols as values. */
import { type Ip, ipFamily, parseIp } from './ip.ts';

declare const portBrand: unique symbol;
/** 1 to 65535. */
export type Port = number & { readonly [portBrand]: true };

export const PROTOCOLS = ['TCP', 'UDP'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** IANA protocol numbers, as they stand in the IP header. */
export const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17 };

/** Decimal digits only: a leading zero would read as octal elsewhere (local-redirect-policy 1.3 e). */
export function parsePort(text: string): Port | undefined {
  return /^[1-9]\d{0,4}$/.test(text) ? toPort(Number(text)) : undefined;
}

export function toPort(value: number): Port | undefined {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? (value as Port) : undefined;
}

export function parseProtocol(text: string): Protocol | undefined {
  return PROTOCOLS.find((protocol) => protocol === text);
}

/** `10.96.0.10:53`, `[fd00::a]:53`. */
export function formatAddressPort(address: Ip, port: number): string {
  return ipFamily(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The inverse of `formatAddressPort`; the port is required. */
export function parseAddressPort(text: string): { address: Ip; port: Port } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  const address = parseIp(match?.[1] ?? match?.[2] ?? '');
  const port = parsePort(match?.[3] ?? '');
  return address === undefined || port === undefined ? undefined : { address, port };
}
