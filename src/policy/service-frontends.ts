/**
 * The ordinary meaning of services: every ClusterIP frontend with the endpoints of the whole cluster, as kube-proxy
 * would serve it. This is what a frontend falls back to, so it never looks at policies or at the node.
 */
import type { EndpointRow, EndpointSliceRow, ObjectKey, PodRow, ServiceRow } from '../cluster/rows.ts';
import { objectKey } from '../cluster/rows.ts';
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import { type Ip, ipFamily } from '../net/ip.ts';
import { sortByAge, sortByName, sortTuples, tupleKey } from './order.ts';
import type { Backend, Frontend } from './table.ts';

export interface ServiceFrontends {
  /** By `tupleKey`; each tuple once. */
  readonly byTuple: ReadonlyMap<string, Frontend>;
  readonly byService: ReadonlyMap<ObjectKey, readonly Frontend[]>;
  /** Cluster and external addresses of services; no address matcher may take one of these (R7). */
  readonly owners: ReadonlyMap<Ip, ObjectKey>;
}

/** Two services with one address cannot come from a sane API server; the older keeps it, whatever the order. */
export function deriveServiceFrontends(snapshot: ClusterSnapshot): ServiceFrontends {
  const slices = slicesByService(snapshot);
  const podsByAddress = indexPods(snapshot);
  const byTuple = new Map<string, Frontend>();
  const byService = new Map<ObjectKey, readonly Frontend[]>();
  const owners = new Map<Ip, ObjectKey>();
  for (const service of sortByAge(snapshot.services.values())) {
    const key = objectKey(service);
    for (const address of [...service.clusterIPs, ...service.externalIPs]) {
      if (!owners.has(address)) owners.set(address, key);
    }
    const own = frontendsOf(service, slices.get(key) ?? [], podsByAddress).filter((frontend) => {
      const tuple = tupleKey(frontend);
      if (byTuple.has(tuple)) return false;
      byTuple.set(tuple, frontend);
      return true;
    });
    byService.set(key, sortTuples(own));
  }
  return { byTuple, byService, owners };
}

function frontendsOf(
  service: ServiceRow,
  slices: readonly EndpointSliceRow[],
  podsByAddress: ReadonlyMap<Ip, PodRow>,
): Frontend[] {
  if (service.headless || service.type === 'ExternalName') return [];
  return service.clusterIPs.flatMap((address) =>
    service.ports.map(({ port, protocol, name }) => ({
      address,
      port,
      protocol,
      type: 'ClusterIP' as const,
      service: objectKey(service),
      ...(name ? { portName: name } : {}),
      backends: endpointBackends({ address, protocol, name: name ?? '' }, slices, podsByAddress),
    })),
  );
}

/** Terminating endpoints serve only as long as nothing else does, as kube-proxy has it since KEP-1669. */
function endpointBackends(
  wanted: { address: Ip; protocol: string; name: string },
  slices: readonly EndpointSliceRow[],
  podsByAddress: ReadonlyMap<Ip, PodRow>,
): readonly Backend[] {
  const family = ipFamily(wanted.address);
  const active = new Map<string, Backend>();
  const terminating = new Map<string, Backend>();
  for (const slice of slices) {
    if (slice.addressType !== (family === 4 ? 'IPv4' : 'IPv6')) continue;
    const ports = slice.ports.filter(
      (port) => (port.name ?? '') === wanted.name && port.protocol === wanted.protocol,
    );
    for (const endpoint of slice.endpoints) {
      const state = endpointState(endpoint);
      // All addresses of one endpoint are the same pod (discovery/v1); the first stands for it.
      const address = endpoint.addresses.find((candidate) => ipFamily(candidate) === family);
      if (state === undefined || address === undefined) continue;
      const pod = podOf(endpoint, address, podsByAddress);
      for (const { port, protocol } of ports) {
        const backend: Backend = { address, port, protocol, state, ...(pod === undefined ? {} : { pod }) };
        const rows = state === 'active' ? active : terminating;
        if (!rows.has(tupleKey(backend))) rows.set(tupleKey(backend), backend);
      }
    }
  }
  return sortTuples((active.size > 0 ? active : terminating).values());
}

function endpointState(endpoint: EndpointRow): Backend['state'] | undefined {
  if (endpoint.ready && !endpoint.terminating) return 'active';
  return endpoint.serving && endpoint.terminating ? 'terminating' : undefined;
}

function podOf(endpoint: EndpointRow, address: Ip, podsByAddress: ReadonlyMap<Ip, PodRow>) {
  if (endpoint.targetPod !== undefined) return objectKey(endpoint.targetPod);
  const pod = podsByAddress.get(address);
  return pod === undefined ? undefined : objectKey(pod);
}

function slicesByService(snapshot: ClusterSnapshot): ReadonlyMap<ObjectKey, readonly EndpointSliceRow[]> {
  const slices = new Map<ObjectKey, EndpointSliceRow[]>();
  for (const slice of sortByName(snapshot.endpointSlices.values())) {
    const key = objectKey({ namespace: slice.namespace, name: slice.serviceName });
    const rows = slices.get(key);
    if (rows === undefined) slices.set(key, [slice]);
    else rows.push(slice);
  }
  return slices;
}

/**
 * Addresses of pods that own them: a hostNetwork pod shares the node's. A finished pod may still show an address that
 * the CNI has given to a newer one, so finished pods are left out and the newest wins.
 */
function indexPods(snapshot: ClusterSnapshot): ReadonlyMap<Ip, PodRow> {
  const byAddress = new Map<Ip, PodRow>();
  for (const pod of sortByAge(snapshot.pods.values())) {
    if (pod.hostNetwork || pod.phase === 'Succeeded' || pod.phase === 'Failed') continue;
    for (const address of pod.podIPs) byAddress.set(address, pod);
  }
  return byAddress;
}
