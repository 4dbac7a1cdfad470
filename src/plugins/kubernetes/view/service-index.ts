/**
 * The cluster as the lookups want it: services by name, slices by service, and who owns an address. Brought up to date
 * when a snapshot arrives and never by a query; a kind whose table is the same object is not looked at. Queries read it
 * synchronously, so no reader can see a half-applied snapshot. Names are matched as the API writes them, in lower case.
 */
import type { EndpointSliceRow, NamespaceRow, PodRow, ServiceRow } from '../../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../../../cluster/snapshot.ts';
import { canonicalName, type Name, parentName, parseName, ROOT } from '../../../dns/name.ts';
import type { Ip } from '../../../net/ip.ts';
import type { Readable } from '../../../store/store.ts';
import type { Clock } from '../../../telemetry/clock.ts';
import { podFacts, relevantChanges, serviceFacts, sliceFacts } from './relevant-facts.ts';
import { createRowIndex, keyChanges, type RowChange, tableChanges } from './row-index.ts';

export interface ClusterView {
  /** Every needed kind has been listed once, so that what is missing does not exist. */
  synced(): boolean;
  /** Unix seconds of the last change that can change an answer; 0 before any. */
  serial(): number;
  namespaceExists(namespace: string): boolean;
  service(namespace: string, name: string): ServiceRow | undefined;
  /** All of them, as they are now: later changes do not touch what was handed out. */
  services(): Iterable<ServiceRow>;
  slices(): Iterable<EndpointSliceRow>;
  /** Every slice of a service; their endpoints together are the service's. */
  slicesOf(namespace: string, service: string): readonly EndpointSliceRow[];
  /** Services with this cluster address. */
  servicesAt(address: Ip): readonly ServiceRow[];
  /** Services that are reached from outside at this address. */
  servicesOutsideAt(address: Ip): readonly ServiceRow[];
  /** Slices with a ready endpoint at this address. */
  slicesAt(address: Ip): readonly EndpointSliceRow[];
  podsAt(address: Ip): readonly PodRow[];
  /** ExternalName services that lead to this name, in lower case, or to one or two labels below it. */
  aliasesTo(name: Name): readonly ServiceRow[];
}

/** One step from what was known to what is known; rows whose change no answer shows are left out. */
export interface ClusterChange {
  readonly services: readonly RowChange<ServiceRow>[];
  readonly slices: readonly RowChange<EndpointSliceRow>[];
  readonly pods: readonly RowChange<PodRow>[];
  readonly namespaces: readonly RowChange<NamespaceRow>[];
  /** Before it, what was missing was only unknown. */
  readonly becameSynced: boolean;
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
  /** Called when the index has followed a change, if it can change an answer. */
  readonly onChange?: (change: ClusterChange) => void;
}): ServiceIndex {
  const kinds = new Set(options.kinds);
  const servicesByAddress = createRowIndex<ServiceRow>((row) => row.clusterIPs);
  const slicesByService = createRowIndex<EndpointSliceRow>((row) => [`${row.namespace}/${row.serviceName}`]);
  const slicesByAddress = createRowIndex<EndpointSliceRow>(readyAddresses);
  const unknownPods = new WeakSet<PodRow>();
  const podsByAddress = createRowIndex<PodRow>((row) =>
    FINISHED_PHASES.has(row.phase) || unknownPods.has(row) ? [] : row.podIPs,
  );
  const servicesByOutside = createRowIndex<ServiceRow>((row) => [
    ...row.externalIPs,
    ...(row.ingressIPs ?? []),
  ]);
  const aliasesByTarget = createRowIndex<ServiceRow>(aliasTargets);
  let current = EMPTY_SNAPSHOT;
  let serial = 0;
  const isSynced = (): boolean => options.kinds.every((kind) => current.synced.has(kind));

  function index(changes: SnapshotChanges): void {
    for (const services of [servicesByAddress, servicesByOutside, aliasesByTarget]) {
      services.apply(changes.services);
    }
    slicesByService.apply(changes.slices);
    slicesByAddress.apply(changes.slices);
    // A pod that goes is known until it is gone, but not learnt of any more (dns-server 3.4, API client).
    for (const { before, after } of changes.pods) {
      if (after?.deleting === true && (before === undefined || unknownPods.has(before)))
        unknownPods.add(after);
    }
    podsByAddress.apply(changes.pods);
  }

  function apply(snapshot: ClusterSnapshot): void {
    const next = onlyKinds(snapshot, kinds);
    const changes = snapshotChanges(current, next);
    index(changes);
    const wasSynced = isSynced();
    current = next;
    const change: ClusterChange = {
      services: relevantChanges(changes.services, serviceFacts),
      slices: relevantChanges(changes.slices, sliceFacts),
      pods: relevantChanges(changes.pods, podFacts),
      namespaces: changes.namespaces.filter(
        ({ before, after }) => before === undefined || after === undefined,
      ),
      becameSynced: !wasSynced && isSynced(),
    };
    const answers = change.services.length + change.slices.length + change.pods.length;
    if (answers > 0) serial = Math.floor(options.clock.nowMs() / 1000);
    if (answers + change.namespaces.length > 0 || change.becameSynced) options.onChange?.(change);
  }

  return {
    synced: isSynced,
    serial: () => serial,
    namespaceExists: (namespace) => current.namespaces.has(`/${namespace}`),
    service: (namespace, name) => current.services.get(`${namespace}/${name}`),
    services: () => current.services.values(),
    slices: () => current.endpointSlices.values(),
    slicesOf: (namespace, service) => slicesByService.get(`${namespace}/${service}`),
    servicesAt: servicesByAddress.get,
    servicesOutsideAt: servicesByOutside.get,
    slicesAt: slicesByAddress.get,
    podsAt: podsByAddress.get,
    aliasesTo: aliasesByTarget.get,
    follow(source) {
      apply(source.get());
      return source.watch(apply);
    },
  };
}

type SnapshotChanges = Pick<ClusterChange, 'services' | 'slices' | 'pods' | 'namespaces'>;

function snapshotChanges(before: ClusterSnapshot, after: ClusterSnapshot): SnapshotChanges {
  // A snapshot tells what it changed of the one before it, and of no other.
  const known = after.generation === before.generation + 1 ? after.changed : undefined;
  const changesOf = <Row>(
    kind: KindName,
    tables: readonly [before: ReadonlyMap<string, Row>, after: ReadonlyMap<string, Row>],
  ): RowChange<Row>[] =>
    known === undefined ? tableChanges(...tables) : keyChanges(...tables, known.get(kind) ?? []);
  return {
    services: changesOf('services', [before.services, after.services]),
    slices: changesOf('endpointSlices', [before.endpointSlices, after.endpointSlices]),
    pods: changesOf('pods', [before.pods, after.pods]),
    namespaces: changesOf('namespaces', [before.namespaces, after.namespaces]),
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

/** The target and the two names above it: it may be an endpoint or a named port of a service. */
function aliasTargets({ externalName }: ServiceRow): Name[] {
  let name = externalName === undefined ? undefined : parseName(externalName.toLowerCase());
  const names: Name[] = [];
  for (let i = 0; i < 3 && name !== undefined && name !== ROOT; i++) {
    names.push(canonicalName(name));
    name = parentName(name);
  }
  return names;
}
