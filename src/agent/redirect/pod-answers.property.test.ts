/** Whatever happens to pods, namespaces and policies, in whatever order: what was followed is what a first look would say. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changedTable } from '../../cluster/layered-table.ts';
import {
  type EgressPeerRow,
  type EgressPortRow,
  type LabelSelector,
  type NamespaceRow,
  type NetworkPolicyRow,
  type ObjectKey,
  type ObjectRow,
  objectKey,
  type PodRow,
} from '../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../../cluster/snapshot.ts';
import type { DatapathSpec } from '../../datapath/datapath.ts';
import { ip } from '../../flow/testing/sample-cluster.ts';
import { toPort } from '../../net/port.ts';
import { parsePrefix } from '../../net/prefix.ts';
import type { Frontend, ServiceTable } from '../../policy/table.ts';
import { WantedState } from '../wanted-state.ts';
import type { AnswerRule } from './pod-answers.ts';

const NODE = 'w1';
const [DNS, OTHER] = [53, 5353].map((value) => toPort(value) ?? 0) as [
  53 & Frontend['port'],
  Frontend['port'],
];
/** Nothing goes on being answered that is redirected no more. */
const AT_LAST = Number.POSITIVE_INFINITY;
const KINDS: readonly KindName[] = ['pods', 'namespaces', 'networkPolicies'];

const namespaces = fc.constantFrom('a', 'b');
const labels = fc.record({ app: fc.constantFrom('cache', 'web') }, { requiredKeys: [] });
const identity = (names: readonly string[]): fc.Arbitrary<ObjectRow> =>
  fc.record({
    ...{ namespace: namespaces, name: fc.constantFrom(...names) },
    ...{ uid: fc.constant(''), createdAtMs: fc.constant(0) },
  });
const wishes = fc.record(
  { kernelAnswers: fc.constantFrom('allow' as const, 'deny' as const, 'unreadable' as const) },
  { requiredKeys: [] },
);
const rarely = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: value });

const pods: fc.Arbitrary<PodRow> = fc
  .tuple(
    identity(['one', 'two', 'three']),
    fc.record({
      nodeName: fc.constantFrom(NODE, NODE, NODE, 'w2'),
      podIPs: fc
        .constantFrom(['10.0.0.1'], ['10.0.0.2'], ['10.0.0.3', 'fd00::3'], [])
        .map((all) => all.map(ip)),
      hostNetwork: fc.constantFrom(false, false, false, true),
      phase: fc.constantFrom('Running', 'Running', 'Failed'),
      ready: fc.constant(true),
      deleting: fc.constant(false),
      labels,
      containerPorts: fc.constantFrom([], [{ name: 'dns', port: DNS, protocol: 'UDP' as const }]),
    }),
    rarely(wishes),
    rarely(fc.record({ redirect: fc.constant('deny' as const) })),
  )
  .map(([row, rest, wish, redirect]) => ({ ...row, ...rest, ...wish, ...redirect }));

const namespaceRows: fc.Arbitrary<NamespaceRow> = fc
  .tuple(namespaces, labels, rarely(wishes))
  .map(([name, own, wish]) => ({
    ...{ namespace: '', name, uid: '', createdAtMs: 0 },
    labels: own,
    ...wish,
  }));

const selectors: fc.Arbitrary<LabelSelector> = fc.record({
  matchLabels: fc.constantFrom({}, {}, { app: 'web' }, { app: 'cache' }),
  matchExpressions: fc.constantFrom([], [], [{ key: 'app', operator: 'Exists', values: [] }]),
});
const prefixes = fc
  .constantFrom('10.0.0.0/24', '10.0.0.1/32', '10.96.0.0/16', '::/0')
  .map((text) => parsePrefix(text) ?? { address: ip('0.0.0.0'), length: 0 });
const peers: fc.Arbitrary<EgressPeerRow> = fc.oneof(
  fc.record({
    kind: fc.constant('block' as const),
    prefix: prefixes,
    except: fc.array(prefixes, { maxLength: 1 }),
  }),
  fc.record(
    { kind: fc.constant('pods' as const), pods: selectors, namespaces: selectors },
    { requiredKeys: ['kind'] },
  ),
);
const ports: fc.Arbitrary<EgressPortRow> = fc.constantFrom<EgressPortRow>(
  { first: DNS, last: DNS },
  { first: DNS, last: OTHER },
  { name: 'dns' },
);
const policies: fc.Arbitrary<NetworkPolicyRow> = fc
  .tuple(
    identity(['p', 'q']),
    fc.record({ podSelector: selectors }, { requiredKeys: [] }),
    fc.array(
      fc.record(
        { peers: fc.array(peers, { maxLength: 2 }), ports: fc.array(ports, { maxLength: 2 }) },
        { requiredKeys: [] },
      ),
      { maxLength: 2 },
    ),
  )
  .map(([row, selector, egress]) => ({ ...row, ...selector, egress }));

type Row = { kind: 'pods' | 'namespaces' | 'networkPolicies'; row: ObjectRow };
const rows: fc.Arbitrary<Row> = fc.oneof(
  fc.record({ kind: fc.constant('pods' as const), row: pods }),
  fc.record({ kind: fc.constant('namespaces' as const), row: namespaceRows }),
  fc.record({ kind: fc.constant('networkPolicies' as const), row: policies }),
);

const backends = fc.uniqueArray(
  fc.record({
    address: fc.constantFrom('10.0.0.1', '10.0.0.2').map(ip),
    port: fc.constantFrom(DNS, OTHER),
    protocol: fc.constant('UDP' as const),
    state: fc.constant('active' as const),
    pod: fc.constantFrom('a/one', 'b/two'),
  }),
  { minLength: 1, maxLength: 2, selector: ({ address, port }) => `${address} ${port}` },
);
const redirects: fc.Arbitrary<readonly Frontend[]> = fc.array(
  fc.record({
    address: fc.constantFrom('10.96.0.10', 'fd00:96::a').map(ip),
    port: fc.constant(DNS),
    protocol: fc.constantFrom('UDP' as const, 'UDP' as const, 'TCP' as const),
    type: fc.constant('LocalRedirect' as const),
    service: fc.constant('a/dns'),
    backends,
  }),
  { maxLength: 2 },
);

interface Step {
  readonly changes: readonly { readonly change: Row; readonly gone: boolean }[];
  readonly redirects: readonly Frontend[] | undefined;
  readonly told: boolean;
  readonly unlisted: KindName | undefined;
}
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    changes: fc.array(fc.record({ change: rows, gone: fc.constantFrom(false, false, true) }), {
      maxLength: 4,
    }),
    redirects: fc.option(redirects, { nil: undefined, freq: 3 }),
    told: fc.boolean(),
    unlisted: fc.constantFrom(...Array<undefined>(8).fill(undefined), 'networkPolicies', 'namespaces'),
  }),
  { minLength: 1, maxLength: 12 },
);

function advance(before: ClusterSnapshot, { changes, told, unlisted }: Step): ClusterSnapshot {
  const listed = KINDS.filter((kind) => kind !== unlisted);
  const same = listed.length === before.synced.size && listed.every((kind) => before.synced.has(kind));
  const changed = new Map<KindName, Set<ObjectKey>>();
  let tables: Partial<ClusterSnapshot> = {};
  for (const { change, gone } of changes) {
    const key = objectKey(change.row);
    const table = (tables[change.kind] ?? before[change.kind]) as ReadonlyMap<ObjectKey, ObjectRow>;
    const next = changedTable(table, new Map([[key, gone ? undefined : change.row]]));
    tables = { ...tables, [change.kind]: next };
    changed.set(change.kind, (changed.get(change.kind) ?? new Set()).add(key));
  }
  const { changed: _, ...rest } = before;
  const synced = same ? before.synced : new Set(listed);
  const generation = before.generation + (told ? 1 : 2);
  return { ...rest, ...tables, synced, generation, ...(told ? { changed } : {}) };
}

function byPod(spec: DatapathSpec): ReadonlyMap<ObjectKey, DatapathSpec['pods'][number]> {
  return new Map(spec.pods.map((pod) => [pod.pod, pod]));
}

describe('WantedState with answers, for every history', () => {
  it('says what a first look says, and keeps what did not change', () => {
    const rules = fc.constantFrom<AnswerRule>(
      { delivery: 'direct' },
      { delivery: 'direct' },
      { delivery: 'stack' },
    );
    fc.assert(
      fc.property(steps, rules, (history, rule) => {
        const wanted = new WantedState(NODE, 'annotated', rule);
        let snapshot: ClusterSnapshot = EMPTY_SNAPSHOT;
        let table: ServiceTable = { generation: 0, redirects: [], policies: [] };
        let before = wanted.update(snapshot, table, AT_LAST);
        for (const step of history) {
          snapshot = advance(snapshot, step);
          table = { ...table, generation: snapshot.generation, redirects: step.redirects ?? table.redirects };
          const now = wanted.update(snapshot, table, AT_LAST);
          // Namespaces that are listed no more: all stays as it was.
          if (snapshot.synced.has('namespaces')) {
            const first = new WantedState(NODE, 'annotated', rule);
            expect(byPod(now)).toEqual(byPod(first.update(snapshot, table, AT_LAST)));
            expect(wanted.answerRefusals).toEqual(first.answerRefusals);
            for (const { pod, answers } of now.pods)
              expect(wanted.answerRefusals.has(pod)).toBe(answers !== true);
            expect([...wanted.answerRefusals.keys()].every((pod) => byPod(now).has(pod))).toBe(true);
          }
          const known = byPod(before);
          for (const pod of now.pods) {
            const old = known.get(pod.pod);
            if (JSON.stringify(old) === JSON.stringify(pod)) expect(pod).toBe(old);
          }
          before = now;
        }
      }),
      { numRuns: 500 },
    );
  });
});
