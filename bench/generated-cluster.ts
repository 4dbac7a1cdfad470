/**
 * A cluster of any size as an API server would give it, object by object, made when asked for: nothing is kept. Five
 * endpoints per service, 250 pods per node; the first pods are those of `NODE`, so that every policy has one there. Objects
 * carry managedFields of a usual size, because reading those is part of what a list costs.
 */

/** The node whose agent is measured. */
export const NODE = 'node-0';
const PODS_PER_NODE = 250;
const NAMESPACES = 50;
/** What a kubelet and two controllers leave in an object's metadata. */
const MANAGED_FIELDS = [
  {
    manager: 'kubelet',
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-11-01T08:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`f:status-condition-${i}`, { 'f:type': {} }]),
    ),
  },
];

export interface ClusterSize {
  readonly services: number;
  readonly endpoints: number;
  readonly policies: number;
}

/** Collections of the API by path, each with its length and its objects by number. */
export type Collections = Readonly<Record<string, Collection>>;

export interface Collection {
  readonly length: number;
  readonly object: (index: number) => object;
  /** Those of one node; pods alone are asked for in that way. */
  readonly lengthOnNode?: number;
}

export function collectionsOf({ services, endpoints, policies }: ClusterSize): Collections {
  return {
    '/api/v1/services': { length: services, object: service },
    '/api/v1/pods': {
      length: endpoints,
      object: (index) => pod(index, services),
      lengthOnNode: Math.min(endpoints, PODS_PER_NODE),
    },
    '/api/v1/nodes': { length: Math.ceil(endpoints / PODS_PER_NODE), object: node },
    '/apis/discovery.k8s.io/v1/endpointslices': {
      length: services,
      object: (index) => slice(index, services, endpoints),
    },
    '/apis/cilium.io/v2/ciliumlocalredirectpolicies': { length: policies, object: policy },
  };
}

/** Of the pods on `NODE`. */
export function podAddressesOf({ endpoints }: ClusterSize): readonly string[] {
  return Array.from({ length: Math.min(endpoints, PODS_PER_NODE) }, (_, index) => podAddress(index));
}

/** Pod number `index`; `ready` false is what a change looks like. */
export function pod(index: number, services: number, ready = true): object {
  const owner = index % services;
  const onNode = Math.floor(index / PODS_PER_NODE);
  const address = podAddress(index);
  return {
    metadata: metadata(`app-${owner}-${Math.floor(index / services)}`, owner, { app: `app-${owner}` }),
    spec: {
      nodeName: `node-${onNode}`,
      containers: [{ name: 'main', image: 'registry/app:1', ports: ports('containerPort') }],
    },
    status: {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      hostIPs: [{ ip: nodeAddress(onNode) }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

/** `ready` false: the first endpoint is not. */
export function slice(index: number, services: number, endpoints: number, ready = true): object {
  const count = Math.max(0, Math.ceil((endpoints - index) / services));
  const labels = { 'kubernetes.io/service-name': `app-${index}` };
  return {
    metadata: metadata(`app-${index}-x7k2p`, index, labels),
    addressType: 'IPv4',
    ports: ports('port'),
    endpoints: Array.from({ length: count }, (_, n) => ({
      addresses: [podAddress(index + n * services)],
      conditions: { ready: n > 0 || ready, serving: true, terminating: false },
      nodeName: `node-${Math.floor((index + n * services) / PODS_PER_NODE)}`,
      targetRef: { kind: 'Pod', namespace: namespaceOf(index), name: `app-${index}-${n}` },
      zone: 'zone-a',
    })),
  };
}

function service(index: number): object {
  const clusterIP = `10.${96 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
  return {
    metadata: metadata(`app-${index}`, index, { app: `app-${index}` }),
    spec: {
      type: 'ClusterIP',
      clusterIP,
      clusterIPs: [clusterIP],
      selector: { app: `app-${index}` },
      ports: ports('port'),
    },
  };
}

function node(index: number): object {
  return {
    metadata: { name: `node-${index}`, uid: `node-${index}`, labels: {}, managedFields: MANAGED_FIELDS },
    status: { addresses: [{ type: 'InternalIP', address: nodeAddress(index) }] },
  };
}

function policy(index: number): object {
  return {
    metadata: metadata(`redirect-${index}`, index, {}),
    spec: {
      redirectFrontend: { serviceMatcher: { serviceName: `app-${index}`, namespace: namespaceOf(index) } },
      redirectBackend: {
        localEndpointSelector: { matchLabels: { app: `app-${index}` } },
        toPorts: [
          { port: '53', name: 'dns', protocol: 'UDP' },
          { port: '53', name: 'dns-tcp', protocol: 'TCP' },
        ],
      },
    },
  };
}

function metadata(name: string, index: number, labels: Readonly<Record<string, string>>): object {
  const namespace = namespaceOf(index);
  const uid = `${name}-${index.toString(16).padStart(12, '0')}`;
  const creationTimestamp = '2026-11-01T08:00:00Z';
  return {
    name,
    namespace,
    uid,
    creationTimestamp,
    labels,
    resourceVersion: '1',
    managedFields: MANAGED_FIELDS,
  };
}

function ports(number: 'port' | 'containerPort'): readonly object[] {
  return [
    { name: 'dns', [number]: 53, protocol: 'UDP' },
    { name: 'dns-tcp', [number]: 53, protocol: 'TCP' },
  ];
}

function namespaceOf(index: number): string {
  return `team-${index % NAMESPACES}`;
}

function podAddress(index: number): string {
  return `10.${128 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
}

function nodeAddress(index: number): string {
  return `192.168.${index >> 8}.${index & 255}`;
}
