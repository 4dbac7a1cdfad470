/** The label that stands for one endpoint address in front of its service's name (dns-server 3.4, object model). */
import type { EndpointRow } from '../../../cluster/rows.ts';
import { type Ip, ipFamily } from '../../../net/ip.ts';

/** RFC 1035 section 2.3.4: a label holds 63 octets, a pod's name may hold 253. */
const LABEL_OCTETS = 63;

/** Lower case if the API's own names are; `podNames` is the option `endpoint_pod_names`. */
export function endpointHost(endpoint: EndpointRow, address: Ip, podNames: boolean): string {
  return namedHost(endpoint, podNames) ?? dashedAddress(address);
}

/** Undefined for endpoints that only their address tells apart. */
export function namedHost(endpoint: EndpointRow, podNames: boolean): string | undefined {
  if (endpoint.hostname !== undefined && endpoint.hostname !== '') return endpoint.hostname;
  const pod = endpoint.targetPod?.name;
  if (podNames && pod !== undefined && pod !== '' && pod.length <= LABEL_OCTETS) return pod;
  return undefined;
}

/** `10.1.2.3` as `10-1-2-3`, `fd00::1` as `fd00--1`; `fd00::` gets a `0` because no label may end in a dash. */
export function dashedAddress(address: Ip): string {
  if (ipFamily(address) === 4) return address.replaceAll('.', '-');
  const dashed = address.replaceAll(':', '-');
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}
