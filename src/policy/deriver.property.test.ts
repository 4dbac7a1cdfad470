/** Whatever happens in whatever order, a deriver that followed it says what reading everything anew says. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changedTable } from '../cluster/layered-table.ts';
import { type ObjectKey, type ObjectRow, objectKey } from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../cluster/snapshot.ts';
import { parsePrefix } from '../net/prefix.ts';
import { derive } from './derive.ts';
import { createDeriver, type DeriveOptions } from './deriver.ts';
import type { ServiceTable } from './table.ts';
import { NODE, nodes, pods, policies, services } from './testing/random-cluster.ts';

type Kind = 'services' | 'pods' | 'nodes' | 'localRedirectPolicies';
const KINDS: readonly Kind[] = ['services', 'pods', 'nodes', 'localRedirectPolicies'];

interface Change {
  readonly kind: Kind;
  readonly row: ObjectRow;
  readonly gone: boolean;
}

/** What happens between two looks of the deriver, and how the snapshot tells of it. */
interface Step {
  readonly changes: readonly Change[];
  /** `copy`: every row a new object, as after a list that was read again. `layers`: one layer per change. */
  readonly how: 'layers' | 'copy' | 'told';
  readonly listed: Kind | undefined;
  readonly unlisted: Kind | undefined;
}

const rows: fc.Arbitrary<Pick<Change, 'kind' | 'row'>> = fc.oneof(
  fc.record({ kind: fc.constant('services' as const), row: services }),
  fc.record({ kind: fc.constant('pods' as const), row: pods }),
  fc.record({ kind: fc.constant('nodes' as const), row: nodes }),
  fc.record({ kind: fc.constant('localRedirectPolicies' as const), row: policies }),
);

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    changes: fc.array(
      fc
        .tuple(
          rows,
          fc.integer({ max: 3, min: 0 }).map((one) => one === 0),
        )
        .map(([change, gone]) => ({ ...change, gone })),
      { maxLength: 5 },
    ),
    how: fc.constantFrom('layers', 'copy', 'told'),
    listed: fc.option(fc.constantFrom(...KINDS), { nil: undefined }),
    unlisted: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, fc.constantFrom(...KINDS)),
  }),
  { minLength: 1, maxLength: 12 },
);

const prefix = parsePrefix('169.254.0.0/16');
const options: fc.Arbitrary<DeriveOptions> = fc.constantFrom<DeriveOptions>(
  { nodeName: NODE },
  { nodeName: NODE, allowServiceAddresses: true },
  { nodeName: NODE, policyNamespaces: ['a', 'kube-system'] },
  { nodeName: NODE, addressAllowList: prefix === undefined ? [] : [prefix] },
);

function advance(before: ClusterSnapshot, step: Step): ClusterSnapshot {
  const { listed, unlisted } = step;
  // The same set while nothing changes in it, as the agent's snapshots have it: a new one alone makes all be looked at.
  let synced = before.synced;
  if (unlisted !== undefined) synced = synced.difference(new Set<KindName>([unlisted]));
  if (listed !== undefined && !synced.has(listed)) synced = new Set<KindName>([...synced, listed]);
  const told = new Map<KindName, Set<ObjectKey>>();
  let tables: Partial<ClusterSnapshot> = {};
  for (const { kind, row, gone } of step.changes) {
    const key = objectKey(row);
    const table = (tables[kind] ?? before[kind]) as ReadonlyMap<ObjectKey, ObjectRow>;
    tables = { ...tables, [kind]: changedTable(table, new Map([[key, gone ? undefined : row]])) };
    told.set(kind, (told.get(kind) ?? new Set()).add(key));
  }
  const next: ClusterSnapshot = {
    ...before,
    ...tables,
    synced,
    generation: before.generation + (step.how === 'told' ? 1 : 2),
  };
  const { changed: _, ...untold } = next;
  if (step.how === 'told') return { ...untold, changed: told };
  return step.how === 'copy' ? { ...untold, ...structuredClone(copies(next)) } : untold;
}

function copies(snapshot: ClusterSnapshot): Pick<ClusterSnapshot, Kind> {
  const { services: a, pods: b, nodes: c, localRedirectPolicies: d } = snapshot;
  return { services: new Map(a), pods: new Map(b), nodes: new Map(c), localRedirectPolicies: new Map(d) };
}

/** Rows that say the same must be the same, and so must lists of them. */
function expectKept(before: ServiceTable, now: ServiceTable): void {
  const parts = [
    [before.redirects, now.redirects],
    [before.policies, now.policies],
  ] as const;
  for (const [old, list] of parts) {
    const known = new Map(old.map((row) => [JSON.stringify(row), row]));
    for (const row of list) {
      const same = known.get(JSON.stringify(row));
      if (same !== undefined) expect(row).toBe(same);
    }
    if (JSON.stringify(old) === JSON.stringify(list)) expect(list).toBe(old);
  }
}

describe('createDeriver, for every history', () => {
  it('says what derive says, and keeps what did not change', () => {
    fc.assert(
      fc.property(steps, options, (history, chosen) => {
        const deriver = createDeriver(chosen);
        let snapshot: ClusterSnapshot = { ...EMPTY_SNAPSHOT, synced: new Set(KINDS) };
        let table = deriver.update(snapshot);
        for (const step of history) {
          snapshot = advance(snapshot, step);
          const now = deriver.update(snapshot);
          expect(now).toEqual(derive(snapshot, chosen));
          expectKept(table, now);
          table = now;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('follows tables of which only layers differ, as those of a large cluster do', () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 1, maxLength: 3 }), (histories) => {
        const deriver = createDeriver({ nodeName: NODE });
        let snapshot: ClusterSnapshot = { ...EMPTY_SNAPSHOT, synced: new Set(KINDS), pods: crowd() };
        deriver.update(snapshot);
        for (const history of histories) {
          // Several generations pass between two looks.
          for (const step of history) snapshot = advance(snapshot, { ...step, how: 'layers' });
          expect(deriver.update(snapshot)).toEqual(derive(snapshot, { nodeName: NODE }));
        }
      }),
      { numRuns: 30 },
    );
  });
});

/** Pods that no policy selects, so many that their table is layered instead of copied. */
function crowd(): ClusterSnapshot['pods'] {
  return new Map(
    Array.from({ length: 2000 }, (_, index) => {
      const name = `crowd-${index}`;
      const row = { namespace: 'crowd', name, uid: '', createdAtMs: 0, nodeName: 'k8s-ctr', podIPs: [] };
      const state = { hostNetwork: false, phase: 'Running', ready: true, deleting: false };
      return [`crowd/${name}`, { ...row, ...state, labels: {}, containerPorts: [] }] as const;
    }),
  );
}
