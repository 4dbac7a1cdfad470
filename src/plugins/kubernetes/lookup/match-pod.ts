/** Names below `pod`: an address with dashes, taken at its word or checked, as the option `pods` says. */
import { type Ip, parseIp } from '../../../net/ip.ts';
import type { Scope } from './scope.ts';

/** The pod's address, or undefined when the name does not exist. The namespace has been checked. */
export function matchPod({ view, options }: Scope, namespace: string, name: string): Ip | undefined {
  const address = parseDashedAddress(name);
  if (address === undefined || options.pods === 'disabled') return undefined;
  if (options.pods === 'insecure') return address;
  return view.podsAt(address).some((pod) => pod.namespace === namespace) ? address : undefined;
}

/** Three single dashes make an IPv4 address; everything else is read as IPv6 (dns-server 3.4). */
export function parseDashedAddress(label: string): Ip | undefined {
  const isIpv4 = /^[^-]*(?:-[^-]+){2}-[^-]*$/.test(label);
  return parseIp(label.replaceAll('-', isIpv4 ? '.' : ':'));
}
