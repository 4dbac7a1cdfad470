/** What must hold of every table, whatever the cluster looks like. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  LocalRedirectPolicyRow,
  ObjectRow,
  PodRow,
  PortInfo,
  ServicePortRow,
  ServiceRow,
} from '../cluster/rows.ts';
import { objectKey } from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import { type Ip, parseIp } from '../net/ip.ts';
import { type Port, PROTOCOLS, toPort } from '../net/port.ts';
import { derive } from './derive.ts';
import { listFrontends } from './list-frontends.ts';
import { sortByAge } from './order.ts';
import type { ServiceTable } from './table.ts';

const NODE = 'k8s-w1';
const SYNCED = new Set(['services', 'endpointSlices', 'pods', 'localRedirectPolicies'] as const);

function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`Cannot parse ${text}`);
  return parsed;
}

/** Few names and few ports, so that policies, services and pods meet often. */
const namespaces = fc.constantFrom('a', 'a-b', 'kube-system');
const names = fc.constantFrom('dns', 'dns-tcp', 'http');
const protocols = fc.constantFrom(...PROTOCOLS);
const ports: fc.Arbitrary<Port> = fc.constantFrom(53, 80, 443).map((value) => {
  const port = toPort(value);
  if (port === undefined) throw new Error(`Cannot use port ${value}`);
  return port;
});
const addresses = fc.constantFrom('10.96.0.10', '10.96.0.11', 'fd00:96::a', '169.254.20.10').map(ip);
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

const services: fc.Arbitrary<ServiceRow> = fc
  .tuple(identity, fc.uniqueArray(addresses, { maxLength: 2 }), declaredPorts)
  .map(([row, clusterIPs, servicePorts]) => ({
    ...row,
    type: 'ClusterIP' as const,
    clusterIPs,
    headless: false,
    externalIPs: [],
    ports: servicePorts,
    selector: {},
    publishNotReadyAddresses: false,
  }));

const pods: fc.Arbitrary<PodRow> = fc
  .tuple(
    identity,
    fc.record({
      nodeName: fc.constantFrom(NODE, NODE, 'k8s-ctr'),
      podIPs: fc.uniqueArray(podAddresses, { maxLength: 2 }),
      hostNetwork: fc.boolean(),
      phase: fc.constantFrom('Running', 'Failed'),
      ready: fc.boolean(),
      deleting: fc.boolean(),
      labels,
      containerPorts: declaredPorts,
    }),
  )
  .map(([row, rest]) => ({ ...row, ...rest }));

const portInfos: fc.Arbitrary<readonly PortInfo[]> = fc.array(
  fc.record(
    {
      port: fc.constantFrom('53', '80', '443', '0', '053'),
      protocol: fc.constantFrom('TCP', 'UDP', 'ANY'),
      name: names,
    },
    { requiredKeys: ['port', 'protocol'] },
  ),
  { maxLength: 3 },
);

const policies: fc.Arbitrary<LocalRedirectPolicyRow> = fc
  .tuple(
    identity,
    fc.record(
      {
        addressMatcher: fc.record({
          ip: fc.constantFrom('169.254.20.10', '10.96.0.10', 'x'),
          toPorts: portInfos,
        }),
        serviceMatcher: fc.record({
          serviceName: fc.constantFrom('one', 'two'),
          namespace: namespaces,
          toPorts: portInfos,
        }),
        backendSelector: fc.record({ matchLabels: labels, matchExpressions: fc.constant([]) }),
      },
      { requiredKeys: [] },
    ),
    portInfos,
    fc.boolean(),
  )
  .map(([row, spec, backendPorts, skipRedirectFromBackend]) => ({
    ...row,
    ...spec,
    generation: 1,
    backendPorts,
    skipRedirectFromBackend,
  }));

interface Objects {
  readonly services: readonly ServiceRow[];
  readonly pods: readonly PodRow[];
  readonly policies: readonly LocalRedirectPolicyRow[];
}

const unique = <T extends ObjectRow>(row: fc.Arbitrary<T>) =>
  fc.uniqueArray(row, { selector: objectKey, maxLength: 8 });

const clusters: fc.Arbitrary<Objects> = fc.record({
  services: unique(services),
  pods: unique(pods),
  policies: unique(policies),
});

function snapshotOf(objects: Objects): ClusterSnapshot {
  const index = <T extends ObjectRow>(rows: readonly T[]) =>
    new Map(rows.map((row) => [objectKey(row), row]));
  return {
    ...EMPTY_SNAPSHOT,
    generation: 1,
    synced: SYNCED,
    services: index(objects.services),
    pods: index(objects.pods),
    localRedirectPolicies: index(objects.policies),
  };
}

function table(objects: Objects): ServiceTable {
  return derive(snapshotOf(objects), { nodeName: NODE });
}

function redirected({ redirects, policies: states }: ServiceTable) {
  return [...redirects, ...states.flatMap((state) => state.frontends)].filter(
    ({ type }) => type === 'LocalRedirect',
  );
}

describe('derive, for every cluster', () => {
  it('never redirects a frontend to nothing', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        for (const { backends } of redirected(table(objects))) expect(backends.length).toBeGreaterThan(0);
      }),
    );
  });

  it('never takes a backend from another node, another namespace, another family or a pod that is not ready', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        for (const { backends, policy = '', address } of redirected(table(objects))) {
          for (const backend of backends) {
            const pod = objects.pods.find((row) => objectKey(row) === backend.pod);
            expect(pod).toMatchObject({ nodeName: NODE, ready: true, namespace: policy.split('/')[0] });
            expect(backend.address.includes(':')).toBe(address.includes(':'));
          }
        }
      }),
    );
  });

  it('never lets a policy have an address of a service without matching that service', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        const owned = new Set(objects.services.flatMap(({ clusterIPs }) => clusterIPs));
        for (const { address, service } of redirected(table(objects))) {
          expect(owned.has(address) && service.endsWith(':local-redirect')).toBe(false);
        }
      }),
    );
  });

  it('says the same whatever order the objects came in', () => {
    const shuffled = clusters.chain((objects) =>
      fc.tuple(
        fc.constant(objects),
        fc.record({
          services: fc.shuffledSubarray([...objects.services], { minLength: objects.services.length }),
          pods: fc.shuffledSubarray([...objects.pods], { minLength: objects.pods.length }),
          policies: fc.shuffledSubarray([...objects.policies], { minLength: objects.policies.length }),
        }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([objects, again]) => {
        expect(table(again)).toEqual(table(objects));
        expect(table(objects)).toEqual(table(objects));
      }),
    );
  });

  it('lists each frontend once and each policy once', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        const states = table(objects).policies;
        const tuples = listFrontends(snapshotOf(objects), table(objects)).map(
          ({ address, port, protocol }) => `${address} ${port} ${protocol}`,
        );
        expect(new Set(tuples).size).toBe(tuples.length);
        expect(states.map(({ policy }) => policy).sort()).toEqual(objects.policies.map(objectKey).sort());
      }),
    );
  });

  it('gives a reason to every policy that redirects nothing, and something to show for every active one', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        for (const { state, reason, frontends } of table(objects).policies) {
          expect(frontends.some(({ type }) => type === 'LocalRedirect')).toBe(state === 'active');
          if (state !== 'active') expect(reason).not.toBe('');
        }
      }),
    );
  });

  it('never lets a younger policy change what an older one has', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        const all = table(objects);
        const byAge = sortByAge(objects.policies);
        for (let count = 0; count < byAge.length; count++) {
          const older = table({ ...objects, policies: byAge.slice(0, count) });
          for (const state of older.policies) {
            expect(all.policies.find(({ policy }) => policy === state.policy)).toEqual(state);
          }
        }
      }),
    );
  });
});
