/** A cluster for tests, by hand: what `kubernetes` would tell of a few services. */
import type { EndpointRow, EndpointSliceRow, ServicePortRow, ServiceRow } from '../../cluster/rows.ts';
import { parsePort, parseProtocol } from '../../net/port.ts';
import type { ClusterNames, ServicesChange } from '../contract.ts';
import { ip } from '../fake-query.ts';

export interface FakeService {
  /** `namespace/name`. */
  readonly key: string;
  readonly headless?: boolean;
  readonly externalIPs?: readonly string[];
  readonly ingressIPs?: readonly string[];
  readonly ingressNames?: readonly string[];
  /** `http 80/TCP`. */
  readonly ports?: readonly string[];
  /** `label address`, all ready. */
  readonly endpoints?: readonly string[];
}

export interface FakeCluster extends ClusterNames {
  tell(change: Partial<ServicesChange>): void;
  readonly state: { synced: boolean; own: readonly string[]; local: readonly string[] };
}

/** `own` are the keys of the services that the server stands behind. */
export function fakeCluster(services: readonly FakeService[], namespaces: readonly string[]): FakeCluster {
  const rows = new Map(services.map((fake) => [fake.key, serviceRow(fake)]));
  const slices = new Map(services.map((fake) => [fake.key, sliceRow(fake)]));
  const listeners: ((change: ServicesChange) => void)[] = [];
  const state = { synced: true, own: [] as readonly string[], local: ['10.9.9.9'] as readonly string[] };
  const slicesOf = (key: string): readonly EndpointSliceRow[] => {
    const slice = slices.get(key);
    return slice === undefined ? [] : [slice];
  };
  return {
    state,
    synced: () => state.synced,
    serial: () => 1_767_225_600,
    namespaceShown: (namespace) => namespaces.includes(namespace),
    service: (namespace, name) => rows.get(`${namespace}/${name}`),
    services: () => rows.values(),
    slicesOf: (namespace, name) => slicesOf(`${namespace}/${name}`),
    servicesOutsideAt: (address) =>
      [...rows.values()].filter((row) => [...row.externalIPs, ...(row.ingressIPs ?? [])].includes(address)),
    endpointLabel: (endpoint, address) => endpoint.hostname ?? address,
    ownSlices: () => state.own.flatMap(slicesOf),
    localAddresses: () => state.local.map(ip),
    onChanged: (listener) => void listeners.push(listener),
    tell(change) {
      for (const listener of listeners) listener({ all: false, services: [], addresses: [], ...change });
    },
  };
}

function identity(key: string) {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name, uid: key, createdAtMs: 0 };
}

function serviceRow(fake: FakeService): ServiceRow {
  const { ingressIPs, ingressNames } = fake;
  return {
    ...identity(fake.key),
    type: 'LoadBalancer',
    clusterIPs: [],
    headless: fake.headless ?? false,
    externalIPs: (fake.externalIPs ?? []).map(ip),
    ...(ingressIPs && { ingressIPs: ingressIPs.map(ip) }),
    ...(ingressNames && { ingressNames }),
    ports: (fake.ports ?? []).map(portRow),
    selector: {},
    publishNotReadyAddresses: false,
  };
}

function sliceRow(fake: FakeService): EndpointSliceRow {
  const endpoints = (fake.endpoints ?? []).map((text): EndpointRow => {
    const [hostname = '', address = ''] = text.split(' ');
    return { addresses: [ip(address)], ready: true, serving: true, terminating: false, hostname };
  });
  const row = identity(fake.key);
  return {
    ...row,
    serviceName: row.name,
    addressType: 'IPv4',
    endpoints,
    ports: (fake.ports ?? []).map(portRow),
  };
}

function portRow(text: string): ServicePortRow {
  const [name = '', number = '', word = ''] = text.split(/[ /]/);
  const port = parsePort(number);
  const protocol = parseProtocol(word);
  if (port === undefined || protocol === undefined) throw new Error(`not a port: ${text}`);
  return { name, port, protocol };
}
