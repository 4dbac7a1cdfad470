/**
 * What the datapath is asked for, followed from snapshot to snapshot. A spec that says the same is the same object, and
 * so are its parts: whoever takes it may skip by `===`.
 */
import { changedKeys } from '../cluster/changed-keys.ts';
import { type ObjectKey, objectKey, type PodRow } from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../cluster/snapshot.ts';
import type { DatapathSpec, LocalPod } from '../datapath/datapath.ts';
import type { ServiceTable } from '../policy/table.ts';
import { permissionOf, type RedirectPermission } from './redirect/permission.ts';

/** What says which frontends are redirected and to whom: before all of it is listed, a policy looks as if it did nothing. */
export const POLICY_NEEDS: readonly KindName[] = [
  'services',
  'endpointSlices',
  'pods',
  'localRedirectPolicies',
];
/** Design invariant 3: nothing is taken away before each of these has been listed once. */
const PRUNE_NEEDS: readonly KindName[] = ['services', 'pods', 'namespaces', 'localRedirectPolicies'];

export class WantedState {
  readonly #nodeName: string;
  readonly #rule: RedirectPermission;
  readonly #pods = new Map<ObjectKey, LocalPod>();
  /** Of a generation that nothing follows: the first snapshot is read whole. */
  #snapshot: ClusterSnapshot = { ...EMPTY_SNAPSHOT, generation: Number.NaN };
  #spec: DatapathSpec = { frontends: [], pods: [], skipPolicies: [], mayPrune: false };

  constructor(nodeName: string, rule: RedirectPermission = 'annotated') {
    this.#nodeName = nodeName;
    this.#rule = rule;
  }

  /** `table` is the one derived from `snapshot`. */
  update(snapshot: ClusterSnapshot, table: ServiceTable): DatapathSpec {
    const before = this.#spec;
    const skipping = table.policies.flatMap(({ policy, skipRedirectFromBackend }) =>
      skipRedirectFromBackend ? [policy] : [],
    );
    const { skipPolicies = [] } = before;
    const spec: DatapathSpec = {
      frontends: table.redirects,
      pods: this.#followPods(snapshot) ? [...this.#pods.values()] : before.pods,
      skipPolicies: sameKeys(skipPolicies, skipping) ? skipPolicies : skipping,
      mayPrune: PRUNE_NEEDS.every((kind) => snapshot.synced.has(kind)),
    };
    const fields = ['frontends', 'pods', 'skipPolicies', 'mayPrune'] as const;
    if (fields.some((field) => spec[field] !== before[field])) this.#spec = spec;
    return this.#spec;
  }

  /**
   * True if any changed. Before namespaces are listed nobody knows which of them say no: no pod is begun with, and those
   * that an agent before this one left in the kernel stay as it left them.
   */
  #followPods(snapshot: ClusterSnapshot): boolean {
    if (!snapshot.synced.has('namespaces')) return false;
    let changed = false;
    for (const key of this.#touchedPods(snapshot)) {
      const pod = snapshot.pods.get(key);
      const known = this.#pods.get(key);
      if (pod === undefined || !hasInterface(pod, this.#nodeName))
        changed = this.#pods.delete(key) || changed;
      else {
        const wanted = this.#localPod(pod, snapshot);
        if (known !== undefined && isSamePod(known, wanted)) continue;
        this.#pods.set(key, wanted);
        changed = true;
      }
    }
    this.#snapshot = snapshot;
    return changed;
  }

  /** Those of changed namespaces, too: what a namespace says counts for its pods. */
  #touchedPods(snapshot: ClusterSnapshot): ReadonlySet<ObjectKey> {
    const touched = new Set(changedKeys(this.#snapshot, snapshot, 'pods'));
    const namespaces = new Set(changedKeys(this.#snapshot, snapshot, 'namespaces'));
    if (namespaces.size === 0) return touched;
    for (const key of this.#pods.keys())
      if (namespaces.has(namespaceKey(key.slice(0, key.indexOf('/'))))) touched.add(key);
    return touched;
  }

  /** A pod can be heard of before its namespace, by another watch: until then it is looked at only. */
  #localPod(pod: PodRow, snapshot: ClusterSnapshot): LocalPod {
    const namespace = snapshot.namespaces.get(namespaceKey(pod.namespace));
    const wishes = { pod: pod.redirect, namespace: namespace === undefined ? 'deny' : namespace.redirect };
    return { pod: objectKey(pod), addresses: pod.podIPs, ...permissionOf(wishes, this.#rule) };
  }
}

/** Pods on the host's network have no interface of their own, finished ones none any more. */
function hasInterface(pod: PodRow, nodeName: string): boolean {
  const ended = pod.phase === 'Succeeded' || pod.phase === 'Failed';
  return pod.nodeName === nodeName && !pod.hostNetwork && !ended && pod.podIPs.length > 0;
}

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index]);
}

function isSamePod(a: LocalPod, b: LocalPod): boolean {
  return a.permitted === b.permitted && a.observeOnly === b.observeOnly && sameKeys(a.addresses, b.addresses);
}

/** Namespaces are cluster-scoped: their keys have an empty namespace. */
function namespaceKey(name: string): ObjectKey {
  return objectKey({ namespace: '', name });
}
