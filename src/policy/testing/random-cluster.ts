/**
 * Random clusters in which policies, services, pods and nodes meet often: few names, few addresses, few ports, and among
 * them what no sane API server would give.
 */
import fc from 'fast-check';
import type {
  LocalRedirectPolicyRow,
  NodeRow,
  ObjectRow,
  PodRow,
  PortInfo,
  ServicePortRow,
  ServiceRow,
} from '../../cluster/rows.ts';
import { objectKey } from '../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../../cluster/snapshot.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { type Port, PROTOCOLS, toPort } from '../../net/port.ts';

/** The node whose table is derived. */
export const NODE = 'k8s-w1';
const SYNCED = new Set(['services', 'endpointSlices', 'pods', 'nodes', 'localRedirectPolicies'] as const);

function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`Cannot parse ${text}`);
  return parsed;
}

function port(value: number): Port {
  const parsed = toPort(value);
  if (parsed === undefined) throw new Error(`Cannot use port ${value}`);
  return parsed;
}

/** Few names and few ports, so that policies, services and pods meet often. */
const namespaces = fc.constantFrom('a', 'a', 'a', 'a-b', 'kube-system');
const names = fc.constantFrom('dns', 'dns-tcp', 'http');
const protocols = fc.constantFrom(...PROTOCOLS);
const ports: fc.Arbitrary<Port> = fc.constantFrom(53, 80, 443).map(port);
const addresses = fc.constantFrom('10.96.0.10', '10.96.0.11', 'fd00:96::a', '169.254.20.10').map(ip);
const nodeAddresses = fc.constantFrom('192.0.2.1', '192.0.2.2').map(ip);
const podAddresses = fc.constantFrom('172.20.0.1', '172.20.0.2', '172.20.1.3', 'fd00:20::1').map(ip);
const labels = fc.record({ app: fc.constantFrom('cache', 'web') });

const identity: fc.Arbitrary<ObjectRow> = fc.record({
  namespace: namespaces,
  name: fc.constantFrom('one', 'two', 'three'),
  uid: fc.constant(''),
  createdAtMs: fc.constantFrom(0, 1000, 2000),
});

const declaredPorts: fc.Arbitrary<readonly ServicePortRow[]> = fc.array(
  fc.record({ name: names, port: ports, protocol: protocols }, { requiredKeys: ['port', 'protocol'] }),
  { maxLength: 3 },
);

const servicePorts: fc.Arbitrary<readonly ServicePortRow[]> = fc.array(
  fc.record(
    { name: names, port: ports, protocol: protocols, nodePort: fc.constantFrom(53, 80).map(port) },
    { requiredKeys: ['port', 'protocol'] },
  ),
  { maxLength: 3 },
);

export const services: fc.Arbitrary<ServiceRow> = fc
  .tuple(
    identity,
    fc.record(
      {
        type: fc.constantFrom('ClusterIP', 'ClusterIP', 'NodePort', 'ExternalName'),
        clusterIPs: fc.uniqueArray(addresses, { maxLength: 2 }),
        externalIPs: fc.uniqueArray(addresses, { maxLength: 1 }),
        ingressIPs: fc.uniqueArray(addresses, { maxLength: 1 }),
        ports: servicePorts,
      },
      { requiredKeys: ['type', 'clusterIPs', 'externalIPs', 'ports'] },
    ),
  )
  .map(([row, rest]) => ({
    ...row,
    ...rest,
    headless: false,
    selector: {},
    publishNotReadyAddresses: false,
  }));

export const nodes: fc.Arbitrary<NodeRow> = fc
  .tuple(identity, fc.uniqueArray(nodeAddresses, { maxLength: 2 }))
  .map(([row, internalIPs]) => ({ ...row, namespace: '', internalIPs, labels: {} }));

export const pods: fc.Arbitrary<PodRow> = fc
  .tuple(
    identity,
    fc.record({
      nodeName: fc.constantFrom(NODE, NODE, 'k8s-ctr'),
      podIPs: fc.uniqueArray(podAddresses, { maxLength: 2 }),
      hostNetwork: fc.boolean(),
      phase: fc.constantFrom('Running', 'Failed'),
      ready: fc.constantFrom(true, true, false),
      deleting: fc.constantFrom(false, false, false, true),
      labels,
      containerPorts: declaredPorts,
    }),
  )
  .map(([row, rest]) => ({ ...row, ...rest }));

const portInfos: fc.Arbitrary<readonly PortInfo[]> = fc.array(
  fc.record(
    {
      port: fc.constantFrom('53', '53', '53', '80', '80', '443', '443', '0', '053'),
      protocol: fc.constantFrom('TCP', 'TCP', 'UDP', 'UDP', 'UDP', 'ANY'),
      name: names,
    },
    { requiredKeys: ['port', 'protocol'] },
  ),
  { maxLength: 3 },
);

const wildPolicies: fc.Arbitrary<LocalRedirectPolicyRow> = fc
  .tuple(
    identity,
    fc.record(
      {
        addressMatcher: fc.record({
          ip: fc.constantFrom('169.254.20.10', '10.96.0.10', '192.0.2.1', 'x'),
          toPorts: portInfos,
        }),
        serviceMatcher: fc.record({
          serviceName: fc.constantFrom('one', 'two'),
          namespace: namespaces,
          toPorts: portInfos,
        }),
        backendSelector: fc.record({ matchLabels: labels, matchExpressions: fc.constant([]) }),
        backendAddress: fc.constantFrom(
          '169.254.20.10',
          '192.0.2.1',
          '169.254.20.10,fe80::1',
          '8.8.8.8',
          'y',
        ),
      },
      { requiredKeys: [] },
    ),
    portInfos,
    fc.boolean(),
  )
  .map(([row, spec, backendPorts, skipRedirectFromBackend]) => ({
    ...row,
    ...spec,
    backendPorts,
    skipRedirectFromBackend,
  }));

const dns: PortInfo = { port: '53', protocol: 'UDP', name: 'dns' };
const http: PortInfo = { port: '80', protocol: 'TCP', name: 'http' };

/** Those that mean something: most of what a cluster holds, and all that can have rivals. */
const soundPolicies: fc.Arbitrary<LocalRedirectPolicyRow> = fc
  .tuple(
    identity,
    fc.oneof(
      fc.record({
        serviceName: fc.constantFrom('one', 'two'),
        toPorts: fc.constantFrom([], [], [dns], [http, dns]),
      }),
      fc.record({
        ip: fc.constantFrom('169.254.20.10', '10.96.0.10', '192.0.2.1'),
        toPorts: fc.constantFrom([dns], [http, dns]),
      }),
    ),
    fc.record(
      {
        backendAddress: fc.constantFrom('169.254.20.10', '192.0.2.1'),
        backendPorts: fc.constantFrom([dns], [dns, http]),
        app: fc.option(fc.constantFrom('cache', 'web'), { nil: undefined }),
      },
      { requiredKeys: ['backendPorts', 'app'] },
    ),
  )
  .map(([row, matcher, { app, ...backend }]) => ({
    ...row,
    skipRedirectFromBackend: false,
    ...('ip' in matcher
      ? { addressMatcher: matcher }
      : { serviceMatcher: { ...matcher, namespace: row.namespace } }),
    ...backend,
    backendSelector: { matchLabels: app === undefined ? {} : { app }, matchExpressions: [] },
  }));

export const policies = fc.oneof(
  { weight: 4, arbitrary: soundPolicies },
  { weight: 1, arbitrary: wildPolicies },
);

export interface Objects {
  readonly services: readonly ServiceRow[];
  readonly pods: readonly PodRow[];
  readonly policies: readonly LocalRedirectPolicyRow[];
  readonly nodes: readonly NodeRow[];
}

const unique = <T extends ObjectRow>(row: fc.Arbitrary<T>) =>
  fc.uniqueArray(row, { selector: objectKey, maxLength: 8 });

export const clusters: fc.Arbitrary<Objects> = fc.record({
  services: unique(services),
  pods: unique(pods),
  policies: unique(policies),
  nodes: unique(nodes),
});

/** All of it, listed. */
export function snapshotOf(objects: Objects): ClusterSnapshot {
  const index = <T extends ObjectRow>(rows: readonly T[]) =>
    new Map(rows.map((row) => [objectKey(row), row]));
  return {
    ...EMPTY_SNAPSHOT,
    generation: 1,
    synced: SYNCED,
    services: index(objects.services),
    pods: index(objects.pods),
    localRedirectPolicies: index(objects.policies),
    nodes: index(objects.nodes),
  };
}
