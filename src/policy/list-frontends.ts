/**
 * The ordinary meaning of services: every ClusterIP frontend with the endpoints of the whole cluster, as kube-proxy
 * would serve it, and what is redirected in its place. Made only when somebody asks to see it: nothing that is written
 * to the kernel comes from here, and reading fifty thousand endpoints takes longer than everything that is.
 */
import type { EndpointRow, EndpointSliceRow, ObjectKey, PodRow } from '../cluster/rows.ts';
import { objectKey } from '../cluster/rows.ts';
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import { type Ip, ipFamily } from '../net/ip.ts';
import { bareFrontends } from './indexes/service-index.ts';
import { sortByAge, sortByName, sortTuples, tupleKey } from './order.ts';
import type { Backend, Frontend, ServiceTable } from './table.ts';

/** Every service frontend and every redirected address, ordered by address, port and protocol. */
export function listFrontends(
  snapshot: ClusterSnapshot,
  { redirects }: Pick<ServiceTable, 'redirects'>,
): readonly Frontend[] {
  const merged = new Map(redirects.map((frontend) => [tupleKey(frontend), frontend]));
  const slices = slicesByService(snapshot);
  const podsByAddress = indexPods(snapshot);
  // Two services with one address cannot come from a sane API server; the older keeps it, whatever the order.
  for (const service of sortByAge(snapshot.services.values())) {
    const own = slices.get(objectKey(service)) ?? [];
    for (const frontend of bareFrontends(service)) {
      const tuple = tupleKey(frontend);
      if (merged.has(tuple)) continue;
      merged.set(tuple, { ...frontend, backends: endpointBackends(frontend, own, podsByAddress) });
    }
  }
  return sortTuples(merged.values());
}

/** Terminating endpoints serve only as long as nothing else does, as kube-proxy has it since KEP-1669. */
function endpointBackends(
  wanted: Frontend,
  slices: readonly EndpointSliceRow[],
  podsByAddress: ReadonlyMap<Ip, PodRow>,
): readonly Backend[] {
  const family = ipFamily(wanted.address);
  const active: Backend[] = [];
  const terminating: Backend[] = [];
  for (const slice of slices) {
    if (slice.addressType !== (family === 4 ? 'IPv4' : 'IPv6')) continue;
    const ports = slice.ports.filter(
      (port) => (port.name ?? '') === (wanted.portName ?? '') && port.protocol === wanted.protocol,
    );
    for (const endpoint of slice.endpoints) {
      const state = endpointState(endpoint);
      // All addresses of one endpoint are the same pod (discovery/v1); the first stands for it.
      const address = endpoint.addresses.find((candidate) => ipFamily(candidate) === family);
      if (state === undefined || address === undefined) continue;
      const pod = podOf(endpoint, address, podsByAddress);
      for (const { port, protocol } of ports) {
        const backend: Backend = { address, port, protocol, state, ...(pod === undefined ? {} : { pod }) };
        (state === 'active' ? active : terminating).push(backend);
      }
    }
  }
  return distinct(sortTuples(active.length > 0 ? active : terminating));
}

/** Of several slices that name one address the first counts; sorting has put it first among its like. */
function distinct(sorted: readonly Backend[]): readonly Backend[] {
  return sorted.filter((backend, index) => {
    const before = sorted[index - 1];
    return before === undefined || tupleKey(before) !== tupleKey(backend);
  });
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
