/**
 * Nothing the API server sends can stop the agent: objects of every kind with fields cut out, swapped for other types or
 * for one another's, sent as lists and as events through the whole pipeline, HTTP to snapshot to derivation. A seed makes a
 * run repeatable; what once failed belongs into a case of its own.
 */
import type { ServerResponse } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KindName } from '../cluster/snapshot.ts';
import { createEnricher } from '../flow/enrich.ts';
import { createKubeClient, type KubeClient } from '../kube/client.ts';
import { startClusterWatch } from '../kube/cluster-watch.ts';
import { KIND_SOURCES } from '../kube/convert/kind-sources.ts';
import {
  createHeardLog,
  type ScriptedServer,
  startScriptedServer,
  until,
} from '../kube/testing/scripted-server.ts';
import { parseIp } from '../net/ip.ts';
import { createDeriver } from '../policy/deriver.ts';
import { listFrontends } from '../policy/list-frontends.ts';
import { systemClock } from '../telemetry/clock.ts';

const KINDS: readonly KindName[] = [
  ...(['services', 'endpointSlices', 'pods', 'nodes', 'namespaces', 'localRedirectPolicies'] as const),
  'networkPolicies',
];

const meta = (name: string, more: object = {}) => ({
  ...{ name, namespace: 'ns', uid: `uid-${name}`, resourceVersion: '5', generation: 1 },
  creationTimestamp: '2026-11-22T12:00:00Z',
  labels: { app: 'cache', 'kubernetes.io/service-name': 's' },
  annotations: { 'zerohop.io/redirect': 'permit', 'zerohop.io/kernel-answers': 'allow' },
  ...more,
});
const ports = [{ name: 'dns', port: 53, protocol: 'UDP' }];

/** A sound object of each kind that touch one another, so that what is broken in one is met through the others. */
const SOUND: Readonly<Record<string, unknown>> = {
  services: {
    metadata: meta('s'),
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.96.0.10',
      clusterIPs: ['10.96.0.10', 'fd00::10'],
      ports,
      selector: { app: 'x' },
    },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'lb' }] } },
  },
  endpointSlices: {
    metadata: meta('s-1'),
    addressType: 'IPv4',
    endpoints: [
      {
        addresses: ['10.0.0.7'],
        conditions: { ready: true },
        nodeName: 'w2',
        targetRef: { kind: 'Pod', name: 'p', namespace: 'ns' },
      },
    ],
    ports,
  },
  pods: {
    metadata: meta('p', { ownerReferences: [{ controller: true, kind: 'ReplicaSet', name: 'x-1' }] }),
    spec: { nodeName: 'w1', containers: [{ ports: [{ name: 'dns', containerPort: 53, protocol: 'UDP' }] }] },
    status: {
      phase: 'Running',
      podIP: '10.0.0.8',
      podIPs: [{ ip: '10.0.0.8' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  },
  nodes: {
    metadata: meta('w1', { namespace: undefined }),
    spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.0.0/24'] },
    status: { addresses: [{ type: 'InternalIP', address: '192.168.1.1' }] },
  },
  namespaces: { metadata: meta('ns', { namespace: undefined }) },
  localRedirectPolicies: {
    metadata: meta('lrp'),
    spec: {
      skipRedirectFromBackend: false,
      redirectFrontend: {
        serviceMatcher: {
          serviceName: 's',
          namespace: 'ns',
          toPorts: [{ port: '53', protocol: 'UDP', name: 'dns' }],
        },
      },
      redirectBackend: {
        localEndpointSelector: {
          matchLabels: { app: 'cache' },
          matchExpressions: [{ key: 'app', operator: 'In', values: ['cache'] }],
        },
        toPorts: [{ port: '53', protocol: 'UDP', name: 'dns' }],
      },
    },
  },
  networkPolicies: {
    metadata: meta('np'),
    spec: {
      podSelector: { matchLabels: { app: 'cache' }, matchExpressions: [{ key: 'app', operator: 'Exists' }] },
      policyTypes: ['Egress'],
      egress: [
        {
          to: [
            { ipBlock: { cidr: '10.0.0.0/8', except: ['10.96.0.0/16'] } },
            { namespaceSelector: {}, podSelector: { matchLabels: { app: 'cache' } } },
          ],
          ports: [
            { protocol: 'UDP', port: 'dns' },
            { protocol: 'UDP', port: 53, endPort: 54 },
          ],
        },
      ],
    },
  },
};

const POISON: readonly unknown[] = [
  ...[
    null,
    0,
    -1,
    1e308,
    65_536,
    53.5,
    '',
    ' ',
    'None',
    '10.0.0.7',
    '::ffff:10.0.0.7',
    '0.0.0.0',
    'fe80::1%eth0',
  ],
  ...[
    true,
    [],
    {},
    [null],
    [[]],
    [[[1]]],
    { a: null },
    'x'.repeat(5_000),
    '\u0000\u001b[2J\ud800',
    'constructor',
  ],
  ...['2026-99-99', 'NaN', '999999999999', '-1', '053', '53/UDP', { length: 1e9 }, { toString: null }],
  JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":1}}'),
];

interface Mutation {
  readonly kind: KindName;
  /** Which of the object's places, counted through and wrapped around. */
  readonly place: number;
  readonly how: 'cut' | 'poison' | 'double' | 'rename';
  readonly poison: number;
}

const mutations = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    place: fc.nat(200),
    how: fc.constantFrom('cut' as const, 'poison' as const, 'double' as const, 'rename' as const),
    poison: fc.nat(POISON.length - 1),
  }),
  { minLength: 1, maxLength: 6 },
);

/** Every object and array inside, with the keys of each. */
function placesOf(value: unknown): { readonly holder: Record<string, unknown>; readonly key: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesOf(holder[key])]);
}

function mutated(object: unknown, { place, how, poison }: Mutation): unknown {
  const copy = structuredClone(object);
  const places = placesOf(copy);
  const at = places[place % Math.max(1, places.length)];
  if (at === undefined) return POISON[poison];
  const { holder, key } = at;
  if (how === 'cut') delete holder[key];
  else if (how === 'poison') holder[key] = POISON[poison];
  else if (how === 'double')
    holder[key] = Array.isArray(holder[key]) ? [...holder[key], ...holder[key]] : [holder[key]];
  else
    Object.defineProperty(holder, '__proto__', { value: holder[key], enumerable: true, configurable: true });
  return copy;
}

function objectsOf(changes: readonly Mutation[]): Readonly<Record<string, unknown>> {
  const objects: Record<string, unknown> = { ...SOUND };
  for (const change of changes) objects[change.kind] = mutated(objects[change.kind], change);
  return objects;
}

describe('converters and derivation', () => {
  it('take any mutation of any object without throwing', () => {
    fc.assert(
      fc.property(mutations, (changes) => {
        const objects = objectsOf(changes);
        for (const kind of KINDS) {
          const converted = KIND_SOURCES[kind].convert(objects[kind]);
          expect(typeof converted.ok).toBe('boolean');
        }
      }),
      { numRuns: 3_000 },
    );
  }, 60_000);

  it('take garbage that is no object at all', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), fc.jsonValue(), (kind, value) => {
        expect(typeof KIND_SOURCES[kind].convert(value).ok).toBe('boolean');
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the whole pipeline', () => {
  let objects: Readonly<Record<string, unknown>> = SOUND;
  const watchers = new Set<ServerResponse>();
  let server: ScriptedServer | undefined;
  let client: KubeClient | undefined;

  beforeAll(async () => {
    server = await startScriptedServer((_req, res, url) => {
      const kind = KINDS.find((each) => KIND_SOURCES[each].path === url.pathname);
      if (kind === undefined) res.writeHead(404).end('{}');
      else if (url.searchParams.get('watch') === 'true') {
        res.flushHeaders();
        watchers.add(res);
        res.on('close', () => watchers.delete(res));
        for (const type of ['ADDED', 'MODIFIED'])
          res.write(`${JSON.stringify({ type, object: objects[kind] ?? null })}\n`);
      } else res.end(JSON.stringify({ metadata: { resourceVersion: '4' }, items: [SOUND[kind]] }));
    });
    client = createKubeClient({ server: server.endpoint });
  });
  afterAll(async () => {
    for (const res of watchers) res.destroy();
    client?.close();
    await server?.close();
  });

  it('goes on from mutated events to a derived table and named addresses', async () => {
    const samples = fc.sample(mutations, { numRuns: 60, seed: 20_261_122 });
    for (const changes of samples) {
      objects = objectsOf(changes);
      if (client === undefined) throw new Error('no client');
      const log = createHeardLog();
      const watch = startClusterWatch({ client, kinds: KINDS, log, clock: systemClock, random: () => 0.5 });
      const deriver = createDeriver({ nodeName: 'w1' });
      const enricher = createEnricher(watch.snapshot, 'w1');
      const read = () => {
        const snapshot = watch.snapshot.get();
        listFrontends(snapshot, deriver.update(snapshot));
        for (const text of ['10.0.0.7', '10.0.0.8', '10.96.0.10', '192.168.1.1', '8.8.8.8']) {
          const address = parseIp(text);
          if (address !== undefined) enricher.lookup(address);
        }
      };
      const stop = watch.snapshot.watch(read);
      await until('the lists', () => KINDS.every((kind) => watch.snapshot.get().synced.has(kind)));
      const events = () =>
        [...watch.stats().values()].reduce((sum, each) => sum + each.events + each.badLines, 0);
      await until('two events of each kind', () => events() >= KINDS.length);
      read();
      stop();
      watch.close();
      expect(log.lines.filter((line) => line.startsWith('error'))).toEqual([]);
    }
  }, 120_000);
});
