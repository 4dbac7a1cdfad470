/** Reverse names (RFC 1035 section 3.5, RFC 3596 section 2.5) and the addresses they stand for. */
import type { Name } from '../../dns/name.ts';
import { type Ip, ipBytes, ipFamily, ipFromBytes, parseIp } from '../../net/ip.ts';

export function isReverseName(name: string): boolean {
  return /(?:^|\.)(?:in-addr|ip6)\.arpa\.$/i.test(name);
}

/** The address of a complete reverse name in lower case; undefined for partial and misspelt ones. */
export function parseReverseName(name: string): Ip | undefined {
  const v4 = /^((?:[0-9]+\.){4})in-addr\.arpa\.$/.exec(name)?.[1];
  if (v4 !== undefined) return parseIp(v4.slice(0, -1).split('.').toReversed().join('.'));
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa\.$/.exec(name)?.[1];
  return v6 === undefined ? undefined : ipFromBytes(Uint8Array.fromHex(v6.split('.').toReversed().join('')));
}

export function reverseName(address: Ip): Name {
  if (ipFamily(address) === 4) return `${address.split('.').toReversed().join('.')}.in-addr.arpa.` as Name;
  return `${[...ipBytes(address).toHex()].toReversed().join('.')}.ip6.arpa.` as Name;
}
