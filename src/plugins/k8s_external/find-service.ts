/**
 * From a name in an outside zone to what is reached from outside under it: `SERVICE.NAMESPACE`, with a port and its
 * protocol, or with `headless` an endpoint, in front. Pure; which record type was asked for makes no difference.
 */
import type { EndpointSliceRow, ServiceRow } from '../../cluster/rows.ts';
import type { Ip } from '../../net/ip.ts';
import type { ClusterNames } from '../contract.ts';

/** An address or the host name of a load balancer, with the ports that the name selects. */
export interface Target {
  readonly address?: Ip;
  readonly hostname?: string;
  /** The endpoint's label in front of the service's name; only of headless services. */
  readonly label?: string;
  readonly ports: readonly number[];
}

export type Found =
  | { readonly kind: 'nothing' }
  /** It exists because of what lies below it. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'targets'; readonly service: ServiceRow; readonly targets: readonly Target[] };

interface Wanted {
  readonly endpoint?: string | undefined;
  readonly port?: string | undefined;
  readonly protocol?: string | undefined;
}

const NOTHING: Found = { kind: 'nothing' };

/** `labels` are those in front of the zone, lower case, in reading order; at least one. */
export function findService(cluster: ClusterNames, headless: boolean, labels: readonly string[]): Found {
  const namespace = labels.at(-1) ?? '';
  if (!cluster.namespaceShown(namespace)) return NOTHING;
  const name = labels.at(-2);
  if (name === undefined) return { kind: 'empty' };
  const wanted = readFront(labels.slice(0, -2));
  const service = wanted && cluster.service(namespace, name);
  if (wanted === undefined || service === undefined) return NOTHING;
  const showsEndpoints =
    headless && !hasOutside(service) && (service.headless || wanted.endpoint !== undefined);
  if (!showsEndpoints && wanted.endpoint !== undefined) return NOTHING;
  const targets = showsEndpoints
    ? cluster.slicesOf(namespace, name).flatMap((slice) => endpointTargets(cluster, slice, wanted))
    : outsideTargets(service, wanted);
  return targets.length === 0 ? NOTHING : { kind: 'targets', service, targets };
}

function readFront(front: readonly string[]): Wanted | undefined {
  const [first, second] = front.map((label) => (label.startsWith('_') ? label.slice(1) : label));
  if (front.length > 2) return undefined;
  return front.length === 1 ? { endpoint: first } : { port: first, protocol: second };
}

function hasOutside({ externalIPs, ingressIPs = [], ingressNames = [] }: ServiceRow): boolean {
  return externalIPs.length + ingressIPs.length + ingressNames.length > 0;
}

function outsideTargets(service: ServiceRow, wanted: Wanted): Target[] {
  const ports = matchPorts(service, wanted);
  if (ports === undefined) return [];
  const { externalIPs, ingressIPs = [], ingressNames = [] } = service;
  const addresses = [...new Set([...externalIPs, ...ingressIPs])];
  return [
    ...addresses.map((address) => ({ address, ports })),
    ...ingressNames.map((hostname) => ({ hostname, ports })),
  ];
}

function endpointTargets(cluster: ClusterNames, slice: EndpointSliceRow, wanted: Wanted): Target[] {
  const ports = matchPorts(slice, wanted);
  if (ports === undefined) return [];
  return slice.endpoints
    .filter(({ ready }) => ready)
    .flatMap((endpoint) =>
      endpoint.addresses.map((address) => ({
        address,
        label: cluster.endpointLabel(endpoint, address),
        ports,
      })),
    )
    .filter(({ label }) => wanted.endpoint === undefined || label.toLowerCase() === wanted.endpoint);
}

/** Undefined when the name wants a port that is not declared. */
function matchPorts(
  { ports, sctpPorts = [] }: Pick<ServiceRow, 'ports' | 'sctpPorts'>,
  { port, protocol }: Wanted,
): readonly number[] | undefined {
  const all = [...ports, ...sctpPorts.map((one) => ({ ...one, protocol: 'SCTP' }))];
  if (port === undefined) return all.map((one) => one.port);
  const matched = all.filter(
    (one) => one.name?.toLowerCase() === port && one.protocol.toLowerCase() === protocol,
  );
  return matched.length === 0 ? undefined : matched.map((one) => one.port);
}
