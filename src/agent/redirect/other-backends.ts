/**
 * Where UDP sockets that asked for a service may be connected to besides its address, once somebody has translated them:
 * every endpoint of the service, ready or not, on any node. Looked up only when a redirect becomes active.
 */
import { objectKey } from '../../cluster/rows.ts';
import type { ClusterSnapshot } from '../../cluster/snapshot.ts';
import type { SocketPlace } from '../../datapath/socket/other-backends.ts';
import { ipFamily } from '../../net/ip.ts';
import { POLICY_NEEDS } from '../wanted-state.ts';

/** None for an address that is no service's; undefined while not all that it takes has been listed. */
export function otherBackends(
  snapshot: ClusterSnapshot,
  { address, port }: SocketPlace,
): readonly SocketPlace[] | undefined {
  // A redirect that an earlier agent left may be wanted no more: what wants it must be known before it costs sockets.
  if (!POLICY_NEEDS.every((kind) => snapshot.synced.has(kind))) return undefined;
  const found: SocketPlace[] = [];
  for (const service of snapshot.services.values()) {
    if (service.headless || !service.clusterIPs.includes(address)) continue;
    const asked = service.ports.filter((row) => row.port === port && row.protocol === 'UDP');
    const names = new Set(asked.map(({ name }) => name ?? ''));
    const key = objectKey(service);
    for (const slice of snapshot.endpointSlices.values()) {
      if (objectKey({ namespace: slice.namespace, name: slice.serviceName }) !== key) continue;
      const ports = slice.ports.filter((row) => row.protocol === 'UDP' && names.has(row.name ?? ''));
      const addresses = slice.endpoints.flatMap((endpoint) => endpoint.addresses);
      for (const each of addresses.filter((one) => ipFamily(one) === ipFamily(address)))
        for (const row of ports) found.push({ address: each, port: row.port });
    }
  }
  return found;
}
