/** A small cluster written down as data, as rows: what a case file says and what every API object would say anyway. */
import type {
  EndpointRow,
  EndpointSliceRow,
  NamespaceRow,
  PodRow,
  ServicePortRow,
  ServiceRow,
} from '../../../cluster/rows.ts';
import { objectKey } from '../../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../../../cluster/snapshot.ts';
import { type Ip, ipFamily } from '../../../net/ip.ts';
import { parsePort, parseProtocol } from '../../../net/port.ts';
import { ip } from '../../fake-query.ts';

export interface ServiceFixture {
  readonly ns: string;
  readonly name: string;
  readonly type?: ServiceRow['type'];
  /** Cluster addresses; none makes the service headless unless it has a type or an external name. */
  readonly ips?: readonly string[];
  readonly externalName?: string;
  /** `http 80/TCP`, or `80/TCP` for a port without a name. */
  readonly ports?: readonly string[];
  readonly externalIPs?: readonly string[];
  /** Addresses and host names that a load balancer gave. */
  readonly ingress?: readonly string[];
}

export interface EndpointFixture {
  readonly ips: readonly string[];
  readonly ready?: boolean;
  readonly hostname?: string;
  readonly pod?: string;
  readonly zone?: string;
}

export interface SliceFixture {
  readonly ns: string;
  /** Made from the service and the addresses if absent. */
  readonly name?: string;
  readonly service: string;
  readonly ports?: readonly string[];
  readonly endpoints: readonly EndpointFixture[];
  /** Of imported slices. */
  readonly cluster?: string;
}

export interface PodFixture {
  readonly ns: string;
  readonly name: string;
  readonly ips: readonly string[];
  readonly phase?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface ClusterFixture {
  readonly namespaces?: readonly string[];
  readonly services?: readonly ServiceFixture[];
  readonly slices?: readonly SliceFixture[];
  readonly imports?: readonly ServiceFixture[];
  readonly importedSlices?: readonly SliceFixture[];
  readonly pods?: readonly PodFixture[];
}

const ALL_KINDS: readonly KindName[] = [
  'services',
  'endpointSlices',
  'namespaces',
  'pods',
  'serviceImports',
  'importedSlices',
];

/** `synced` defaults to every kind the plugin may ask for; of the others nothing has arrived yet. */
export function clusterSnapshot(
  fixture: ClusterFixture,
  synced: readonly KindName[] = ALL_KINDS,
): ClusterSnapshot {
  const arrived = <Row>(kind: KindName, rows: readonly Row[] = []): readonly Row[] =>
    synced.includes(kind) ? rows : [];
  return {
    ...EMPTY_SNAPSHOT,
    generation: 1,
    synced: new Set(synced),
    namespaces: byKey(arrived('namespaces', fixture.namespaces).map(namespaceRow)),
    services: byKey(arrived('services', fixture.services).map(serviceRow)),
    endpointSlices: byKey(arrived('endpointSlices', fixture.slices).map(sliceRow)),
    serviceImports: byKey(arrived('serviceImports', fixture.imports).map(serviceRow)),
    importedSlices: byKey(arrived('importedSlices', fixture.importedSlices).map(sliceRow)),
    pods: byKey(arrived('pods', fixture.pods).map(podRow)),
  };
}

export function serviceRow(fixture: ServiceFixture): ServiceRow {
  const { externalName, type } = fixture;
  const clusterIPs = (fixture.ips ?? []).map(ip);
  return {
    ...meta(fixture.ns, fixture.name),
    type: type ?? (externalName === undefined ? 'ClusterIP' : 'ExternalName'),
    clusterIPs,
    headless: clusterIPs.length === 0 && externalName === undefined && type === undefined,
    ...(externalName === undefined ? {} : { externalName }),
    externalIPs: (fixture.externalIPs ?? []).map(ip),
    ...ingressOf(fixture.ingress ?? []),
    ...portsOf(fixture.ports),
    selector: {},
    publishNotReadyAddresses: false,
  };
}

export function sliceRow(fixture: SliceFixture): EndpointSliceRow {
  const addresses = fixture.endpoints.flatMap((endpoint) => endpoint.ips.map(ip));
  const [first] = addresses;
  return {
    ...meta(fixture.ns, fixture.name ?? `${fixture.service}-${addresses.join('-')}`),
    serviceName: fixture.service,
    addressType: first !== undefined && ipFamily(first) === 6 ? 'IPv6' : 'IPv4',
    endpoints: fixture.endpoints.map((endpoint) => endpointRow(fixture.ns, endpoint)),
    ...portsOf(fixture.ports),
    ...(fixture.cluster === undefined ? {} : { sourceCluster: fixture.cluster }),
  };
}

export function podRow(fixture: PodFixture): PodRow {
  return {
    ...meta(fixture.ns, fixture.name),
    nodeName: 'k8s-w1',
    podIPs: fixture.ips.map((text): Ip => ip(text)),
    hostNetwork: false,
    phase: fixture.phase ?? 'Running',
    ready: true,
    deleting: false,
    labels: fixture.labels ?? {},
    containerPorts: [],
  };
}

function namespaceRow(name: string): NamespaceRow {
  return { ...meta('', name), labels: {} };
}

function endpointRow(
  namespace: string,
  { ips, ready = true, hostname, pod, zone }: EndpointFixture,
): EndpointRow {
  return {
    addresses: ips.map(ip),
    ready,
    serving: ready,
    terminating: false,
    ...(hostname === undefined ? {} : { hostname }),
    ...(zone === undefined ? {} : { zone }),
    ...(pod === undefined ? {} : { targetPod: { namespace, name: pod } }),
  };
}

function ingressOf(texts: readonly string[]): Pick<ServiceRow, 'ingressIPs' | 'ingressNames'> {
  const ingressNames = texts.filter((text) => /[g-z]/.test(text));
  const ingressIPs = texts.filter((text) => !ingressNames.includes(text)).map(ip);
  return {
    ...(ingressIPs.length === 0 ? {} : { ingressIPs }),
    ...(ingressNames.length === 0 ? {} : { ingressNames }),
  };
}

function portsOf(texts: readonly string[] = []): Pick<ServiceRow, 'ports' | 'sctpPorts'> {
  const isSctp = (text: string): boolean => text.endsWith('/SCTP');
  const sctpPorts = texts.filter(isSctp).map((text) => {
    const { name, port } = portRow(text.replace('/SCTP', '/TCP'));
    return { port, ...(name === undefined ? {} : { name }) };
  });
  return {
    ports: texts.filter((text) => !isSctp(text)).map(portRow),
    ...(sctpPorts.length === 0 ? {} : { sctpPorts }),
  };
}

function portRow(text: string): ServicePortRow {
  const [, name, number = '', word = ''] = /^(?:(\S+) )?(\d+)\/(\w+)$/.exec(text) ?? [];
  const port = parsePort(number);
  const protocol = parseProtocol(word);
  if (port === undefined || protocol === undefined) throw new Error(`not a port: ${text}`);
  return { port, protocol, ...(name === undefined ? {} : { name }) };
}

function meta(namespace: string, name: string) {
  return { namespace, name, uid: `${namespace}/${name}`, createdAtMs: 0 };
}

function byKey<Row extends { namespace: string; name: string }>(
  rows: readonly Row[],
): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [objectKey(row), row]));
}
