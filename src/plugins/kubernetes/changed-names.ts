/**
 * Which names have other answers after a change than before, so that caches can forget them. A name stands for
 * everything below it; too many names stand for their zones. Two things are left out on purpose: the serial in the SOA,
 * which every change moves, and aliases outside of our zones that lead back here.
 */
import type { EndpointSliceRow, PodRow, ServiceRow } from '../../cluster/rows.ts';
import { canonicalName, isSubdomain, joinName, type Name } from '../../dns/name.ts';
import { type Ip, ipFamily } from '../../net/ip.ts';
import { dashedAddress, endpointHost } from './lookup/endpoint-host.ts';
import { isReverseName, reverseName } from './lookup/reverse-name.ts';
import { serviceName } from './lookup/service-name.ts';
import { isMulticlusterZone, type KubernetesOptions } from './options.ts';
import type { RowChange } from './view/row-index.ts';
import type { ClusterChange, ClusterView } from './view/service-index.ts';

/** More names than this cost a cache more than starting anew. */
const MAX_NAMES = 2000;
/** As many aliases in a row as are ever followed. */
const MAX_ALIASES = 8;

export interface ChangeScope {
  readonly options: KubernetesOptions;
  /** As it is after the change. */
  readonly view: ClusterView;
  /** Of imports: the change is one of other clusters' services, which have zones of their own and no PTR records. */
  readonly imports: boolean;
}

/** In lower case, each once; empty when no answer of ours is concerned. */
export function changedNames(scope: ChangeScope, change: ClusterChange): readonly Name[] {
  const { zones } = scope.options;
  if (change.becameSynced) return zones;
  const names = new Set<Name>();
  for (const _step of collect(scope, change, names)) if (names.size > MAX_NAMES) return zones;
  return [...names];
}

/** Step by step, so that a change of everything is not worked out to its end. */
function* collect(scope: ChangeScope, change: ClusterChange, names: Set<Name>): Iterable<undefined> {
  const { options } = scope;
  const zones = forwardZones(scope);
  for (const row of services(change)) yield addService(scope, row, { names, zones });
  for (const { before, after } of change.namespaces) {
    const namespace = after?.name ?? before?.name ?? '';
    for (const branch of ['svc', 'pod']) yield addBelow(names, [namespace, branch], zones);
    const below = zones.flatMap((zone) => joinName([namespace, 'svc'], zone) ?? []);
    const aliases = below.flatMap((name) => scope.view.aliasesTo(canonicalName(name)));
    for (const row of aliases) yield addService(scope, row, { names, zones });
  }
  const everyZone = options.zones.filter((zone) => !isReverseName(zone));
  for (const { before, after } of change.pods) yield addPods(names, [before, after], everyZone);
  if (scope.imports) return;
  for (const { before, after } of change.services) {
    yield addPointers(options, names, [...addressesOf(before), ...addressesOf(after)]);
  }
  for (const slices of change.slices) yield addPointers(options, names, changedEndpoints(options, slices));
}

interface ServiceKey {
  readonly namespace: string;
  readonly name: string;
}

/** The services that rows of either kind belong to, each once. */
export function services(change: Pick<ClusterChange, 'services' | 'slices'>): Iterable<ServiceKey> {
  const keys = new Map<string, ServiceKey>();
  const add = (namespace: string, name: string) => keys.set(`${namespace}/${name}`, { namespace, name });
  for (const { before, after } of change.services) {
    const row = after ?? before;
    if (row !== undefined) add(row.namespace, row.name);
  }
  for (const slices of change.slices) {
    for (const row of [slices.before, slices.after])
      if (row !== undefined) add(row.namespace, row.serviceName);
  }
  return keys.values();
}

function forwardZones({ options, imports }: ChangeScope): readonly Name[] {
  return options.zones.filter(
    (zone) => !isReverseName(zone) && isMulticlusterZone(options, zone) === imports,
  );
}

/** With the aliases that lead there, and those that lead to these. */
function addService(
  { view }: ChangeScope,
  service: ServiceKey,
  { names, zones }: { names: Set<Name>; zones: readonly Name[] },
): undefined {
  let found: readonly ServiceKey[] = [service];
  for (let i = 0; i < MAX_ALIASES && found.length > 0; i++) {
    const fresh = found
      .flatMap((row) => zones.map((zone) => serviceName(row, zone)))
      .filter((name) => name !== undefined)
      .map(canonicalName)
      .filter((name) => !names.has(name));
    for (const name of fresh) names.add(name);
    found = fresh.flatMap((name) => view.aliasesTo(name));
  }
}

function addBelow(names: Set<Name>, labels: readonly string[], zones: readonly Name[]): undefined {
  for (const zone of zones) {
    const name = joinName(labels, zone);
    if (name !== undefined) names.add(canonicalName(name));
  }
}

/** An IPv6 address can be spelt in many ways, so that its whole namespace goes. */
function addPods(names: Set<Name>, rows: readonly (PodRow | undefined)[], zones: readonly Name[]): undefined {
  for (const row of rows) {
    for (const address of row?.podIPs ?? []) {
      const namespace = [row?.namespace ?? '', 'pod'];
      addBelow(names, ipFamily(address) === 4 ? [dashedAddress(address), ...namespace] : namespace, zones);
    }
  }
}

function addPointers({ zones }: KubernetesOptions, names: Set<Name>, addresses: readonly Ip[]): undefined {
  for (const address of addresses) {
    const name = reverseName(address);
    if (zones.some((zone) => isSubdomain(zone, name))) names.add(name);
  }
}

function addressesOf(row: ServiceRow | undefined): readonly Ip[] {
  return row?.clusterIPs ?? [];
}

/** Of a slice with a thousand endpoints usually one has changed. */
function changedEndpoints(
  options: KubernetesOptions,
  { before, after }: RowChange<EndpointSliceRow>,
): readonly Ip[] {
  const old = namedEndpoints(options, before);
  const now = namedEndpoints(options, after);
  const changed: Ip[] = [];
  for (const [key, address] of old) if (!now.has(key)) changed.push(address);
  for (const [key, address] of now) if (!old.has(key)) changed.push(address);
  return changed;
}

function namedEndpoints(
  { endpointPodNames }: KubernetesOptions,
  slice: EndpointSliceRow | undefined,
): ReadonlyMap<string, Ip> {
  const named = new Map<string, Ip>();
  for (const endpoint of slice?.endpoints ?? []) {
    if (!endpoint.ready) continue;
    for (const address of endpoint.addresses) {
      named.set(
        `${slice?.serviceName} ${endpointHost(endpoint, address, endpointPodNames)} ${address}`,
        address,
      );
    }
  }
  return named;
}
