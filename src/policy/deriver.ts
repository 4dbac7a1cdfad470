/**
 * Derivation that follows a cluster: each snapshot costs what changed since the one before. A change names the policies it
 * can touch (by namespace, service, address or frontend), and only those are looked at again; whatever comes out as it was
 * stays the same object. Deliberately absent: endpoints, which no redirect is made of.
 */
import { changedKeys } from '../cluster/changed-keys.ts';
import { type NodeRow, type ObjectKey, objectKey, type PodRow, type ServiceRow } from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName, type KindRows } from '../cluster/snapshot.ts';
import { NodeAddresses } from './indexes/node-addresses.ts';
import { PodIndex } from './indexes/pod-index.ts';
import { PolicyRegister } from './indexes/policy-register.ts';
import { addressesOf, ServiceIndex } from './indexes/service-index.ts';
import { insertTuples } from './order.ts';
import type { Frontend, PolicyState, ServiceTable } from './table.ts';
import type { PolicyLimits } from './validate.ts';

export interface DeriveOptions extends PolicyLimits {
  /** Only pods with this spec.nodeName become local backends. */
  readonly nodeName: string;
  /** Lets address matchers take addresses of services (R7). Off unless an operator asks for it in so many words. */
  readonly allowServiceAddresses?: boolean;
}

export interface Deriver {
  /** Exactly what `derive` gives for this snapshot. Any snapshot may follow any other. */
  update(snapshot: ClusterSnapshot): ServiceTable;
}

/** Holds the last snapshot and indexes over it, for as long as it is referenced. */
export function createDeriver(options: DeriveOptions): Deriver {
  return new IncrementalDeriver(options);
}

class IncrementalDeriver implements Deriver {
  readonly #services = new ServiceIndex();
  readonly #nodes = new NodeAddresses();
  readonly #pods: PodIndex;
  readonly #policies: PolicyRegister;
  /** Of a generation that nothing follows: the first snapshot is read whole. */
  #snapshot: ClusterSnapshot = { ...EMPTY_SNAPSHOT, generation: Number.NaN };
  #table: ServiceTable = { generation: 0, redirects: [], policies: [] };

  constructor(options: DeriveOptions) {
    this.#pods = new PodIndex(options.nodeName);
    this.#policies = new PolicyRegister({
      options,
      services: this.#services,
      nodes: this.#nodes,
      pods: this.#pods,
    });
  }

  update(snapshot: ClusterSnapshot): ServiceTable {
    const before = this.#snapshot;
    this.#snapshot = snapshot;
    for (const [key, , row] of changes(before, snapshot, 'localRedirectPolicies'))
      this.#policies.set(key, row);
    for (const [key, old, row] of changes(before, snapshot, 'services')) this.#changeService(key, old, row);
    for (const [, old, row] of changes(before, snapshot, 'nodes')) this.#changeNode(old, row);
    for (const [key, old, row] of changes(before, snapshot, 'pods')) this.#changePod(key, old, row);
    if (before.synced !== snapshot.synced) this.#policies.touchAll();
    const states = this.#policies.settle(snapshot.synced);
    this.#table = nextTable(this.#table, snapshot.generation, states);
    return this.#table;
  }

  #changeService(key: ObjectKey, old: ServiceRow | undefined, now: ServiceRow | undefined): void {
    this.#services.set(key, now);
    const policies = this.#policies;
    policies.replanService(key);
    for (const row of [old, now]) {
      if (row === undefined) continue;
      for (const address of addressesOf(row)) policies.replanAddress(address);
      // Two services with one address: which of them has the frontends may have changed.
      for (const address of row.clusterIPs) {
        for (const rival of this.#services.sharing(address)) policies.replanService(objectKey(rival));
      }
      for (const { nodePort } of row.ports) if (nodePort !== undefined) policies.replanNodePort(nodePort);
    }
  }

  #changeNode(old: NodeRow | undefined, now: NodeRow | undefined): void {
    this.#nodes.replace(old, now);
    for (const address of [...(old?.internalIPs ?? []), ...(now?.internalIPs ?? [])]) {
      this.#policies.replanAddress(address);
    }
  }

  #changePod(key: ObjectKey, old: PodRow | undefined, now: PodRow | undefined): void {
    this.#pods.replace(key, old, now);
    this.#policies.changePod(key, old, now);
  }
}

type Change<Row> = readonly [key: ObjectKey, before: Row | undefined, now: Row | undefined];

function* changes<K extends KindName>(
  before: ClusterSnapshot,
  after: ClusterSnapshot,
  kind: K,
): Generator<Change<KindRows[K]>> {
  const [rows, now]: readonly ReadonlyMap<ObjectKey, KindRows[K]>[] = [
    tableOf(before, kind),
    tableOf(after, kind),
  ];
  for (const key of changedKeys(before, after, kind)) {
    const change: Change<KindRows[K]> = [key, rows?.get(key), now?.get(key)];
    if (change[1] !== change[2]) yield change;
  }
}

function tableOf<K extends KindName>(
  snapshot: ClusterSnapshot,
  kind: K,
): ReadonlyMap<ObjectKey, KindRows[K]> {
  return snapshot[kind] as ReadonlyMap<ObjectKey, KindRows[K]>;
}

/** Lists whose members are all as they were stay the same lists. */
function nextTable(before: ServiceTable, generation: number, states: Iterable<PolicyState>): ServiceTable {
  const policies = kept(before.policies, [...states]);
  if (policies === before.policies) {
    return generation === before.generation ? before : { ...before, generation };
  }
  return { generation, redirects: nextRedirects(before.redirects, policies), policies };
}

function nextRedirects(before: readonly Frontend[], policies: readonly PolicyState[]): readonly Frontend[] {
  const fresh = new Set<Frontend>();
  for (const { frontends } of policies) {
    for (const frontend of frontends) if (frontend.type === 'LocalRedirect') fresh.add(frontend);
  }
  const staying = before.filter((frontend) => fresh.delete(frontend));
  if (fresh.size > 0) return insertTuples(staying, fresh);
  return staying.length === before.length ? before : staying;
}

function kept<T>(before: readonly T[], now: readonly T[]): readonly T[] {
  return before.length === now.length && before.every((each, index) => each === now[index]) ? before : now;
}
