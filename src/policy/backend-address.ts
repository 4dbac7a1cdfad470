/**
 * The address on which backends in the host's network listen, where that is not the node's own: the classic node cache
 * has a dummy interface with 169.254.20.10. Only a link-local address or one of the node itself is taken, because with
 * any other a policy could send a service's traffic off the node.
 */
import type { PodRow } from '../cluster/rows.ts';
import { fail, ok, type Result } from '../fault/result.ts';
import { type Ip, ipBytes, ipFamily, parseIp } from '../net/ip.ts';
import type { PolicyErrorCode } from './errors.ts';

/** As it stands in an annotation of the policy. */
export const BACKEND_ADDRESS_ANNOTATION = 'zerohop.io/backend-address';

/** One address, or one of each family with a comma between them. */
export function parseBackendAddresses(text: string): Result<readonly Ip[]> {
  const addresses: Ip[] = [];
  for (const word of text.split(',')) {
    const address = parseIp(word.trim());
    if (address === undefined) return refuse(`${JSON.stringify(word)} is not an IP address`);
    const twin = addresses.find((other) => ipFamily(other) === ipFamily(address));
    if (twin !== undefined) return refuse(`${twin} and ${address} are of one family`);
    addresses.push(address);
  }
  return ok(addresses);
}

/** 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291 section 2.4). */
export function isLinkLocal(address: Ip): boolean {
  const [first = 0, second = 0] = ipBytes(address);
  return ipFamily(address) === 4
    ? first === 169 && second === 254
    : first === 0xfe && (second & 0xc0) === 0x80;
}

/** Where the pod is reached: its own addresses, or those the policy names if it is on the host's network. */
export function backendAddresses(pod: PodRow, named: readonly Ip[] | undefined): readonly Ip[] {
  return named === undefined || !pod.hostNetwork
    ? pod.podIPs
    : named.filter((address) => isOfHost(pod, address));
}

/** The first address the policy names for this pod and may not have; undefined when there is none. */
export function refusedAddress(pod: PodRow, named: readonly Ip[] | undefined): Ip | undefined {
  return pod.hostNetwork ? named?.find((address) => !isOfHost(pod, address)) : undefined;
}

function isOfHost(pod: PodRow, address: Ip): boolean {
  return isLinkLocal(address) || pod.podIPs.includes(address) || (pod.hostIPs ?? []).includes(address);
}

function refuse(reason: string) {
  const code: PolicyErrorCode = 'POLICY_BAD_BACKEND_ADDRESS';
  return fail(code, undefined, `annotation ${BACKEND_ADDRESS_ANNOTATION}: ${reason}`);
}
