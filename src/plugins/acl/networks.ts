/**
 * Whether an address is in any of many networks, in time that grows with the logarithm of their number: block lists have
 * thousands. Networks are joined to ranges that do not touch, in order, so that one search finds the only one that can
 * hold the address. Addresses are words of 32 bits, one for IPv4 and four for IPv6, so that nothing is made per look-up
 * but the bytes of the address.
 */
import { type Ip, type IpFamily, ipBytes, ipFamily } from '../../net/ip.ts';
import type { Prefix } from '../../net/prefix.ts';

type Words = readonly number[];

interface Range {
  readonly first: Words;
  readonly last: Words;
}

export interface Networks {
  contains(ip: Ip): boolean;
}

/** For rules that name no network. */
export const EVERYWHERE: Networks = { contains: () => true };

export function createNetworks(prefixes: readonly Prefix[]): Networks {
  const ofFamily = (family: IpFamily) => prefixes.filter(({ address }) => ipFamily(address) === family);
  const ranges: Readonly<Record<IpFamily, readonly Range[]>> = {
    4: joined(ofFamily(4).map(rangeOf)),
    6: joined(ofFamily(6).map(rangeOf)),
  };
  return {
    contains(ip) {
      const candidates = ranges[ipFamily(ip)];
      if (candidates.length === 0) return false;
      const words = wordsOf(ipBytes(ip));
      const range = lastNotAbove(candidates, words);
      return range !== undefined && compare(words, range.last) <= 0;
    },
  };
}

function rangeOf({ address, length }: Prefix): Range {
  const first = ipBytes(address);
  const last = first.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, length - 8 * i))));
  return { first: wordsOf(first), last: wordsOf(last) };
}

function wordsOf(bytes: Uint8Array): Words {
  const words: number[] = [];
  for (let i = 0; i < bytes.length; i += 4) {
    const high = ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
    words.push(high * 0x1_0000 + (((bytes[i + 2] ?? 0) << 8) | (bytes[i + 3] ?? 0)));
  }
  return words;
}

/** Networks either hold each other or are apart, so a range that begins inside of the one before ends there too. */
function joined(ranges: readonly Range[]): readonly Range[] {
  const kept: Range[] = [];
  const inOrder = ranges.toSorted((a, b) => compare(a.first, b.first) || compare(b.last, a.last));
  for (const range of inOrder) {
    const before = kept.at(-1);
    if (before === undefined || compare(range.first, before.last) > 0) kept.push(range);
  }
  return kept;
}

/** Of equal length. */
function compare(a: Words, b: Words): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function lastNotAbove(ranges: readonly Range[], words: Words): Range | undefined {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (range !== undefined && compare(range.first, words) <= 0) low = middle + 1;
    else high = middle;
  }
  return ranges[low - 1];
}
