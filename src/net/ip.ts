/**
 * IP addresses as branded canonical text (RFC 5952; IPv4-mapped IPv6 is shown as IPv4), so that equality is `===`.
 * Minted only by `parseIp` and `ipFromBytes`. Zones (`%eth0`) are not part of an address and are refused.
 */
import { isIPv4, isIPv6 } from 'node:net';

declare const ipBrand: unique symbol;
export type Ip = string & { readonly [ipBrand]: true };
export type IpFamily = 4 | 6;

export function parseIp(text: string): Ip | undefined {
  if (isIPv4(text)) return text as Ip;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return ipFromBytes(ipv6Bytes(text));
}

export function ipFamily(ip: Ip): IpFamily {
  return ip.includes(':') ? 6 : 4;
}

/** 4 or 16 bytes in network order. */
export function ipBytes(ip: Ip): Uint8Array {
  return ipFamily(ip) === 4 ? ipv4Bytes(ip) : ipv6Bytes(ip);
}

/** Digit by digit: every A record of a DNS answer is made here, and splitting costs several times as much. */
function ipv4Bytes(ip: Ip): Uint8Array {
  const bytes = new Uint8Array(4);
  let byte = 0;
  let octet = 0;
  for (let i = 0; i < ip.length; i++) {
    const code = ip.charCodeAt(i);
    if (code === 0x2e) {
      bytes[octet++] = byte;
      byte = 0;
    } else byte = byte * 10 + (code - 0x30);
  }
  bytes[octet] = byte;
  return bytes;
}

/** 16 bytes in network order; IPv4 as ::ffff:a.b.c.d, the form the kernel maps use for both families. */
export function ipMappedBytes(ip: Ip): Uint8Array {
  if (ipFamily(ip) === 6) return ipv6Bytes(ip);
  const bytes = new Uint8Array(16);
  bytes[10] = 0xff;
  bytes[11] = 0xff;
  bytes.set(ipBytes(ip), 12);
  return bytes;
}

/** Takes 4 or 16 bytes in network order; throws on any other length, which is our bug. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length === 4) return dotted(bytes, 0);
  if (bytes.length !== 16) throw new Error(`Cannot make an address of ${bytes.length} bytes`);
  if (isMapped(bytes)) return dotted(bytes, 12);
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  return formatGroups(groups) as Ip;
}

/** Written out, because every packet event and every A record passes here. */
function dotted(bytes: Uint8Array, at: number): Ip {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` as Ip;
}

function isMapped(bytes: Uint8Array): boolean {
  if (bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** RFC 5952 section 4.2.3: the longest run of at least two zero groups, the first of equals, becomes `::`. */
function formatGroups(groups: readonly number[]): string {
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; ) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > best.length) best = { start: i, length: end - i };
    i = Math.max(end, i + 1);
  }
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (best.start < 0) return hex(groups);
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`;
}

/** The text has passed `isIPv6`, so only its expansion is left to do. */
function ipv6Bytes(text: string): Uint8Array {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const plain = dotted
    ? `${dotted[1]}${hexPair(dotted[2], dotted[3])}:${hexPair(dotted[4], dotted[5])}`
    : text;
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  const bytes = new Uint8Array(16);
  groups.forEach((group, i) => {
    const value = Number.parseInt(group, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 0xff;
  });
  return bytes;
}

function hexPair(high: string | undefined, low: string | undefined): string {
  return ((Number(high) << 8) | Number(low)).toString(16);
}
