/** Interfaces that have the addresses of services for IPVS's sake: a packet to one of them meets IPVS, and never a socket. */
import type { Ip } from '../../net/ip.ts';
import { type Known, knownOr } from '../site/known.ts';
import type { InterfaceFact } from '../site/node-facts.ts';

/** Of kube-proxy and of kube-router. */
const OF_SERVICES: readonly string[] = ['kube-ipvs0', 'kube-dummy-if'];

export function isOfServices({ name }: Pick<InterfaceFact, 'name'>): boolean {
  return OF_SERVICES.includes(name);
}

/** Those that make the address the node's own. */
export function holdersOf(
  interfaces: Known<readonly InterfaceFact[]>,
  address: Ip,
): readonly InterfaceFact[] {
  return knownOr(interfaces, []).filter((one) => !isOfServices(one) && one.addresses.includes(address));
}
