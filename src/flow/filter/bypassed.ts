/**
 * A bypass (spec hubble 12.3, number 7): a query of a pod to a DNS port that did not enter a cache on its own node. One row
 * of flow answers for one query: the dns-request, which is told once, at the client's own interface, with the server that
 * really got it. Packet rows cannot answer alone: a redirected query leaves its pod for the frontend all the same.
 * What the kernel answered from a cache's memory is no bypass, nor is what a cache itself asks of its upstream, nor multicast DNS, which belongs to no server.
 */
import { ipBytes, ipFamily, parseIp } from '../../net/ip.ts';
import { type Flow, flowPorts, isKernelAnswered } from '../api.ts';
import { DEFAULT_DNS_PORTS } from '../dns-sighting.ts';

/** The caches of one node: what its redirects have as backends there. A port tells a cache on the host's address from others. */
export interface LocalCaches {
  has(address: string, port: number): boolean;
  /** On any port: whoever asks from there is a cache. */
  hasAddress(address: string): boolean;
}

export function createLocalCaches(
  caches: Iterable<{ readonly address: string; readonly port: number }>,
): LocalCaches {
  const ports = new Map<string, Set<number>>();
  for (const { address, port } of caches) {
    const known = ports.get(address) ?? new Set();
    ports.set(address, known.add(port));
  }
  return {
    has: (address, port) => ports.get(address)?.has(port) ?? false,
    hasAddress: (address) => ports.has(address),
  };
}

/** `caches` are those of the node that saw the flow, `dnsPorts` where it looks for messages. */
export function isBypassed(
  flow: Flow,
  caches: LocalCaches,
  dnsPorts: readonly number[] = DEFAULT_DNS_PORTS,
): boolean {
  if (flow.l7?.type !== 'REQUEST' || flow.l7.dns === undefined) return false;
  if (isKernelAnswered(flow)) return false;
  if (flow.source.pod_name === undefined || flow.traffic_direction === 'INGRESS') return false;
  const port = flowPorts(flow).destination_port ?? 0;
  if (!dnsPorts.includes(port) || isMulticast(flow.IP.destination)) return false;
  return !caches.has(flow.IP.destination, port) && !caches.hasAddress(flow.IP.source);
}

/** 224.0.0.0/4 (RFC 5771) and ff00::/8 (RFC 4291 section 2.7). */
function isMulticast(address: string): boolean {
  const ip = parseIp(address);
  if (ip === undefined) return false;
  const first = ipBytes(ip)[0] ?? 0;
  return ipFamily(ip) === 4 ? first >> 4 === 0xe : first === 0xff;
}
