/** CIDR prefixes as values; host bits are masked away when parsed. */
import { type Ip, ipBytes, ipFamily, ipFromBytes, parseIp } from './ip.ts';

export interface Prefix {
  /** The network address: all host bits zero. */
  readonly address: Ip;
  /** 0 to 32, or 0 to 128. */
  readonly length: number;
}

export function parsePrefix(text: string): Prefix | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const address = parseIp(match?.[1] ?? '');
  const length = Number(match?.[2]);
  if (address === undefined || length > (ipFamily(address) === 4 ? 32 : 128)) return undefined;
  return { address: ipFromBytes(mask(ipBytes(address), length)), length };
}

export function formatPrefix(prefix: Prefix): string {
  return `${prefix.address}/${prefix.length}`;
}

export function prefixContains(prefix: Prefix, ip: Ip): boolean {
  if (ipFamily(prefix.address) !== ipFamily(ip)) return false;
  return ipFromBytes(mask(ipBytes(ip), prefix.length)) === prefix.address;
}

function mask(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - 8 * i))));
}
