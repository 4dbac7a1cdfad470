/** Names that answers point to, and the address records beside them. */

import { TYPE } from '../../../dns/codes.ts';
import type { ResourceRecord } from '../../../dns/message.ts';
import { joinName, type Name } from '../../../dns/name.ts';
import { addressRecord } from '../../../dns/rdata/address.ts';
import { type Ip, ipFamily } from '../../../net/ip.ts';

/** `[host.]service.namespace.svc.ZONE`; undefined when that is longer than a name may be. */
export function serviceName(
  service: { readonly namespace: string; readonly name: string },
  zone: Name,
  host?: string,
): Name | undefined {
  const labels = [service.name, service.namespace, 'svc'];
  return joinName(host === undefined ? labels : [host, ...labels], zone);
}

/** Records of the family that `type` (A or AAAA) asks for, each address once. */
export function addressRecords(
  owner: Name,
  {
    type,
    ttlSeconds,
    addresses,
    answerBytes,
  }: { type: number; ttlSeconds: number; addresses: readonly Ip[]; answerBytes: number },
): ResourceRecord[] {
  const family = type === TYPE.A ? 4 : 6;
  // With its owner compressed to two bytes, and type, class, TTL and length in ten.
  const most = answerBytes / (type === TYPE.A ? 16 : 28);
  const wanted = new Set<Ip>();
  for (const address of addresses) {
    if (wanted.size > most) break;
    if (ipFamily(address) === family) wanted.add(address);
  }
  return [...wanted].map((address) => addressRecord(owner, ttlSeconds, address));
}

/** A name with an address, as additional sections and NS answers need it. */
export interface NamedAddress {
  readonly name: Name;
  readonly address: Ip;
}

/** A and AAAA records, each pair once. */
export function namedAddressRecords(pairs: readonly NamedAddress[], ttlSeconds: number): ResourceRecord[] {
  const distinct = new Map(pairs.map((pair) => [`${pair.name} ${pair.address}`, pair]));
  return [...distinct.values()].map(({ name, address }) => addressRecord(name, ttlSeconds, address));
}
