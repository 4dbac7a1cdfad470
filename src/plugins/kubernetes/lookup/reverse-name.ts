/** Reverse names (RFC 1035 section 3.5, RFC 3596 section 2.5) back to addresses. */
import type { Name } from '../../../dns/name.ts';
import { type Ip, ipBytes, ipFamily, ipFromBytes, parseIp } from '../../../net/ip.ts';

/** A zone under which PTR records live, and nothing else of a cluster does. */
export function isReverseName(name: string): boolean {
  return /(?:^|\.)(?:in-addr|ip6)\.arpa\.$/i.test(name);
}

/** The address of a complete reverse name in lower case; undefined for partial and misspelt ones. */
export function parseReverseName(name: string): Ip | undefined {
  if (name.endsWith('.in-addr.arpa.')) return parseIpv4(name.slice(0, -'.in-addr.arpa.'.length).split('.'));
  if (name.endsWith('.ip6.arpa.')) return parseIpv6(name.slice(0, -'.ip6.arpa.'.length).split('.'));
  return undefined;
}

/** The other way round; every address has one such name. */
export function reverseName(address: Ip): Name {
  if (ipFamily(address) === 4) return `${address.split('.').toReversed().join('.')}.in-addr.arpa.` as Name;
  return `${[...ipBytes(address).toHex()].toReversed().join('.')}.ip6.arpa.` as Name;
}

function parseIpv4(labels: readonly string[]): Ip | undefined {
  return labels.length === 4 ? parseIp(labels.toReversed().join('.')) : undefined;
}

function parseIpv6(nibbles: readonly string[]): Ip | undefined {
  if (nibbles.length !== 32 || !nibbles.every((nibble) => /^[0-9a-f]$/.test(nibble))) return undefined;
  return ipFromBytes(Uint8Array.fromHex(nibbles.toReversed().join('')));
}
