/**
 * The cluster as the lookups want it: services by name, slices by service, and who owns an address. Brought up to date
 * when a snapshot arrives and never by a query; a kind whose table is the same object is not looked at. Queries read it
 * synchronously, so no reader can see a half-applied snapshot. Names are matched as the API writes them, in lower case.
 */
import type { EndpointSliceRow, PodRow, ServiceRow } from '../../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../../../cluster/snapshot.ts';
import type { Ip } from '../../../net/ip.ts';
import type { Readable } from '../../../store/store.ts';
import type { Clock } from '../../../telemetry/clock.ts';
import { changesAnswers, podFacts, serviceFacts, sliceFacts } from './relevant-facts.ts';
import { createRowIndex, tableChanges } from './row-index.ts';

export interface ClusterView {
  /** Every needed kind has been listed once, so that what is missing does not exist. */
  synced(): boolean;
  /** Unix seconds of the last change that can change an answer; 0 before any. */
  serial(): number;
  namespaceExists(namespace: string): boolean;
  service(namespace: string, name: string): ServiceRow | undefined;
  /** Every slice of a service; their endpoints together are the service's. */
  slicesOf(namespace: string, service: string): readonly EndpointSliceRow[];
  /** Services with this cluster address. */
  servicesAt(address: Ip): readonly ServiceRow[];
  /** Slices with a ready endpoint at this address. */
  slicesAt(address: Ip): readonly EndpointSliceRow[];
  podsAt(address: Ip): readonly PodRow[];
}

export interface ServiceIndex extends ClusterView {
  /** Takes over the source's current value and every later one, until the returned function is called. */
  follow(source: Readable<ClusterSnapshot>): () => void;
}

const FINISHED_PHASES: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'Unknown']);

/** `kinds` are the ones to read: a shared watch may carry others, which must not show through. */
export function createServiceIndex(options: {
  readonly clock: Clock;
  readonly kinds: readonly KindName[];
}): ServiceIndex {
  const kinds = new Set(options.kinds);
  const servicesByAddress = createRowIndex<ServiceRow>((row) => row.clusterIPs);
  const slicesByService = createRowIndex<EndpointSliceRow>((row) => [`${row.namespace}/${row.serviceName}`]);
  const slicesByAddress = createRowIndex<EndpointSliceRow>(readyAddresses);
  const podsByAddress = createRowIndex<PodRow>((row) => (FINISHED_PHASES.has(row.phase) ? [] : row.podIPs));
  let current = EMPTY_SNAPSHOT;
  let serial = 0;

  function apply(snapshot: ClusterSnapshot): void {
    const next = onlyKinds(snapshot, kinds);
    const services = tableChanges(current.services, next.services);
    const slices = tableChanges(current.endpointSlices, next.endpointSlices);
    const pods = tableChanges(current.pods, next.pods);
    servicesByAddress.apply(services);
    slicesByService.apply(slices);
    slicesByAddress.apply(slices);
    podsByAddress.apply(pods);
    const changed =
      changesAnswers(services, serviceFacts) ||
      changesAnswers(slices, sliceFacts) ||
      changesAnswers(pods, podFacts);
    if (changed) serial = Math.floor(options.clock.nowMs() / 1000);
    current = next;
  }

  return {
    synced: () => options.kinds.every((kind) => current.synced.has(kind)),
    serial: () => serial,
    namespaceExists: (namespace) => current.namespaces.has(`/${namespace}`),
    service: (namespace, name) => current.services.get(`${namespace}/${name}`),
    slicesOf: (namespace, service) => slicesByService.get(`${namespace}/${service}`),
    servicesAt: servicesByAddress.get,
    slicesAt: slicesByAddress.get,
    podsAt: podsByAddress.get,
    follow(source) {
      apply(source.get());
      return source.watch(apply);
    },
  };
}

function onlyKinds(snapshot: ClusterSnapshot, kinds: ReadonlySet<KindName>): ClusterSnapshot {
  return {
    ...snapshot,
    endpointSlices: kinds.has('endpointSlices') ? snapshot.endpointSlices : EMPTY_SNAPSHOT.endpointSlices,
    pods: kinds.has('pods') ? snapshot.pods : EMPTY_SNAPSHOT.pods,
  };
}

function readyAddresses(row: EndpointSliceRow): Ip[] {
  return row.endpoints.flatMap((endpoint) => (endpoint.ready ? endpoint.addresses : []));
}
