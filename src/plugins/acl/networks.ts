/**
 * Whether an address is in any of many networks, in time that grows with the logarithm of their number: block lists have
 * thousands. Networks are joined to ranges that do not touch, in order, so that one search finds the only one that can
 * hold the address. Addresses are compared as hexadecimal text of equal length, whose order is that of their bytes.
 */
import { type Ip, type IpFamily, ipBytes, ipFamily } from '../../net/ip.ts';
import type { Prefix } from '../../net/prefix.ts';

interface Range {
  readonly first: string;
  readonly last: string;
}

export interface Networks {
  contains(ip: Ip): boolean;
}

/** For rules that name no network. */
export const EVERYWHERE: Networks = { contains: () => true };

export function createNetworks(prefixes: readonly Prefix[]): Networks {
  const ranges: Readonly<Record<IpFamily, readonly Range[]>> = {
    4: joined(prefixes.filter(({ address }) => ipFamily(address) === 4).map(rangeOf)),
    6: joined(prefixes.filter(({ address }) => ipFamily(address) === 6).map(rangeOf)),
  };
  return {
    contains(ip) {
      const candidates = ranges[ipFamily(ip)];
      if (candidates.length === 0) return false;
      const text = hex(ipBytes(ip));
      const range = lastNotAbove(candidates, text);
      return range !== undefined && text <= range.last;
    },
  };
}

function rangeOf({ address, length }: Prefix): Range {
  const first = ipBytes(address);
  const last = first.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, length - 8 * i))));
  return { first: hex(first), last: hex(last) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** Networks either hold each other or are apart, so a range that begins inside of the one before ends there too. */
function joined(ranges: readonly Range[]): readonly Range[] {
  const kept: Range[] = [];
  const inOrder = [...ranges].sort((a, b) => compare(a.first, b.first) || compare(b.last, a.last));
  for (const range of inOrder) {
    const before = kept.at(-1);
    if (before === undefined || range.first > before.last) kept.push(range);
  }
  return kept;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function lastNotAbove(ranges: readonly Range[], text: string): Range | undefined {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle]?.first ?? '') <= text) low = middle + 1;
    else high = middle;
  }
  return ranges[low - 1];
}
