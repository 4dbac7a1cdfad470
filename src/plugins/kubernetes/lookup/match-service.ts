/**
 * From a name below `svc` to what stands behind it: the service's own addresses, its ready endpoints, or an alias.
 * Which record type was asked for makes no difference here; a name either exists or does not (dns-server 3.4).
 */
import type { EndpointRow, EndpointSliceRow, ServiceRow } from '../../../cluster/rows.ts';
import type { Ip } from '../../../net/ip.ts';
import type { ObjectName } from './cluster-name.ts';
import { dashedAddress, namedHost } from './endpoint-host.ts';
import { parseDashedAddress } from './match-pod.ts';
import type { Scope } from './scope.ts';

/** One address behind a name, with the ports that the name selects. */
export interface Backend {
  readonly address: Ip;
  /** Whose address it is; absent for a cluster address. */
  readonly endpoint?: EndpointRow;
  /** The cluster that an imported endpoint is in. */
  readonly cluster?: string;
  /** Distinct by (name, protocol), so a number may stand twice; empty when no port is declared. */
  readonly ports: readonly number[];
}

export type ServiceMatch =
  | { readonly kind: 'backends'; readonly service: ServiceRow; readonly backends: readonly Backend[] }
  | { readonly kind: 'alias'; readonly target: string };

/** Undefined when the name does not exist. The namespace has been checked. */
export function matchService(scope: Scope, name: ObjectName): ServiceMatch | undefined {
  const service = scope.view.service(name.namespace, name.name);
  if (service === undefined) return undefined;
  if (service.type === 'ExternalName') return matchAlias(service, name);
  if (name.zonal !== undefined) return matchZone(scope, service, { ...name, zonal: name.zonal });
  if (service.headless || name.endpoint !== undefined) return matchEndpoints(scope, service, name);
  if (scope.options.ignoreEmptyService && !hasReadyEndpoint(scope, service)) return undefined;
  return matchClusterAddresses(service, name);
}

/** Nothing can be said about the ports or endpoints of somebody else's host. */
function matchAlias(service: ServiceRow, name: ObjectName): ServiceMatch | undefined {
  if (name.endpoint !== undefined || name.port !== undefined || name.zonal !== undefined) return undefined;
  const target = service.externalName ?? '';
  return target === '' ? undefined : { kind: 'alias', target };
}

/** A headless service exists in every zone: one without endpoints there has no records, which is no NXDOMAIN. */
function matchZone(
  scope: Scope,
  service: ServiceRow,
  name: ObjectName & { zonal: NonNullable<ObjectName['zonal']> },
): ServiceMatch | undefined {
  if (!service.headless) return undefined;
  const { zone, orAll } = name.zonal;
  const slices = scope.view.slicesOf(service.namespace, service.name);
  const all = slices.flatMap((slice) => sliceBackends(scope, slice, name));
  const near = all.filter(({ endpoint }) => endpoint?.zone?.toLowerCase() === zone);
  return { kind: 'backends', service, backends: near.length === 0 && orAll ? all : near };
}

function matchClusterAddresses(service: ServiceRow, name: ObjectName): ServiceMatch | undefined {
  const ports = matchPorts(service, name);
  if (ports === undefined) return undefined;
  return { kind: 'backends', service, backends: service.clusterIPs.map((address) => ({ address, ports })) };
}

function matchEndpoints(scope: Scope, service: ServiceRow, name: ObjectName): ServiceMatch | undefined {
  const slices = scope.view.slicesOf(service.namespace, service.name);
  const backends = slices.flatMap((slice) => sliceBackends(scope, slice, name));
  return backends.length === 0 ? undefined : { kind: 'backends', service, backends };
}

function sliceBackends(scope: Scope, slice: EndpointSliceRow, name: ObjectName): Backend[] {
  const ports = matchPorts(slice, name);
  if (ports === undefined || !isInCluster(slice, name)) return [];
  const cluster = slice.sourceCluster === undefined ? {} : { cluster: slice.sourceCluster };
  const backends: Backend[] = [];
  const isWanted = name.endpoint === undefined ? undefined : hostMatcher(scope, name.endpoint);
  for (const endpoint of slice.endpoints) {
    if (!endpoint.ready) continue;
    for (const address of endpoint.addresses) {
      if (isWanted !== undefined && !isWanted(endpoint, address)) continue;
      backends.push({ address, endpoint, ports, ...cluster });
    }
  }
  return backends;
}

/** The address that the label may stand for is read once, not written once for each of thousands of endpoints. */
function hostMatcher({ options }: Scope, label: string): (endpoint: EndpointRow, address: Ip) => boolean {
  const address = parseDashedAddress(label);
  const spelt = address !== undefined && dashedAddress(address) === label ? address : undefined;
  return (endpoint, own) => {
    const host = namedHost(endpoint, options.endpointPodNames);
    return host === undefined ? own === spelt : host.toLowerCase() === label;
  };
}

/** Imported endpoints are only found together with their cluster, as two clusters may use one host name. */
function isInCluster(slice: EndpointSliceRow, name: ObjectName): boolean {
  return name.endpoint === undefined || slice.sourceCluster?.toLowerCase() === name.cluster;
}

interface DeclaredPorts {
  readonly ports: readonly { readonly name?: string; readonly port: number; readonly protocol: string }[];
  readonly sctpPorts?: readonly { readonly name?: string; readonly port: number }[];
}

/** Undefined when the name wants a port that is not declared. Without declared ports the bare name still exists. */
function matchPorts(declared: DeclaredPorts, name: ObjectName): readonly number[] | undefined {
  const sctp = declared.sctpPorts?.map((port) => ({ ...port, protocol: 'SCTP' })) ?? [];
  const ports = sctp.length === 0 ? declared.ports : [...declared.ports, ...sctp];
  if (name.port === undefined) return ports.map(({ port }) => port);
  const matched = ports.filter(
    (port) => port.name?.toLowerCase() === name.port && port.protocol.toLowerCase() === name.protocol,
  );
  return matched.length === 0 ? undefined : matched.map(({ port }) => port);
}

function hasReadyEndpoint(scope: Scope, service: ServiceRow): boolean {
  const slices = scope.view.slicesOf(service.namespace, service.name);
  return slices.some((slice) =>
    slice.endpoints.some((endpoint) => endpoint.ready && endpoint.addresses.length > 0),
  );
}
