/**
 * What the datapath is asked for, followed from snapshot to snapshot. A spec that says the same is the same object, and
 * so are its parts: whoever takes it may skip by `===`.
 */
import { changedKeys } from '../cluster/changed-keys.ts';
import { type ObjectKey, objectKey, type PodRow } from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../cluster/snapshot.ts';
import type { DatapathSpec, LocalPod } from '../datapath/datapath.ts';
import type { Frontend, ServiceTable } from '../policy/table.ts';
import { type AnsweringFrontend, AnsweringFrontends } from './answers/answering-frontends.ts';
import { type Permission, permissionOf, type RedirectPermission } from './redirect/permission.ts';
import { type AnswerRule, PodAnswers } from './redirect/pod-answers.ts';

/** What says which frontends are redirected and to whom: before all of it is listed, a policy looks as if it did nothing. */
export const POLICY_NEEDS: readonly KindName[] = [
  'services',
  'endpointSlices',
  'pods',
  'localRedirectPolicies',
];
/** Design invariant 3: nothing is taken away before each of these has been listed once. */
const PRUNE_NEEDS: readonly KindName[] = ['services', 'pods', 'namespaces', 'localRedirectPolicies'];

const NO_REFUSALS: ReadonlyMap<ObjectKey, string> = new Map();

export class WantedState {
  readonly #nodeName: string;
  readonly #rule: RedirectPermission;
  /** Undefined: answers from the kernel are off. */
  readonly #answers: PodAnswers | undefined;
  readonly #answering = new AnsweringFrontends();
  readonly #pods = new Map<ObjectKey, LocalPod>();
  /** Of a generation that nothing follows: the first snapshot is read whole. */
  #snapshot: ClusterSnapshot = { ...EMPTY_SNAPSHOT, generation: Number.NaN };
  #spec: DatapathSpec = { frontends: [], answering: [], pods: [], skipPolicies: [], mayPrune: false };

  constructor(nodeName: string, rule: RedirectPermission = 'annotated', answers?: AnswerRule) {
    this.#nodeName = nodeName;
    this.#rule = rule;
    this.#answers = answers && new PodAnswers(answers);
  }

  /** The pods of this node that get no answers from the kernel, and why; empty where there are none for anybody. */
  get answerRefusals(): ReadonlyMap<ObjectKey, string> {
    return this.#answers?.refusals ?? NO_REFUSALS;
  }

  /** Frontends whose last local backend went a moment ago, while the kernel may answer for them. */
  get answering(): readonly AnsweringFrontend[] {
    return this.#answering.list;
  }

  /** `table` is the one derived from `snapshot`; `nowMs` of the monotonic clock. */
  update(snapshot: ClusterSnapshot, table: ServiceTable, nowMs: number): DatapathSpec {
    const before = this.#spec;
    const answering = this.#answers === undefined ? [] : this.#answering.follow(table, nowMs);
    const skipping = table.policies.flatMap(({ policy, skipRedirectFromBackend }) =>
      skipRedirectFromBackend ? [policy] : [],
    );
    const { skipPolicies = [] } = before;
    const spec: DatapathSpec = {
      frontends: table.redirects,
      answering: sameMembers(before.answering ?? [], answering) ? (before.answering ?? []) : answering,
      pods: this.#followPods(snapshot, table, answering) ? [...this.#pods.values()] : before.pods,
      skipPolicies: sameMembers(skipPolicies, skipping) ? skipPolicies : skipping,
      mayPrune: PRUNE_NEEDS.every((kind) => snapshot.synced.has(kind)),
    };
    const fields = ['frontends', 'answering', 'pods', 'skipPolicies', 'mayPrune'] as const;
    if (fields.some((field) => spec[field] !== before[field])) this.#spec = spec;
    return this.#spec;
  }

  /**
   * True if any changed. Before namespaces are listed nobody knows which of them say no: no pod is begun with, and those
   * that an agent before this one left in the kernel stay as it left them.
   */
  #followPods(snapshot: ClusterSnapshot, table: ServiceTable, answering: readonly Frontend[]): boolean {
    if (!snapshot.synced.has('namespaces')) return false;
    this.#answers?.follow(snapshot, table, answering);
    let changed = false;
    for (const key of this.#touchedPods(snapshot)) {
      const pod = snapshot.pods.get(key);
      const known = this.#pods.get(key);
      if (pod === undefined || !hasInterface(pod, this.#nodeName)) {
        changed = this.#pods.delete(key) || changed;
        this.#answers?.forget(key);
      } else {
        const wanted = this.#localPod(pod, snapshot);
        if (known !== undefined && isSamePod(known, wanted)) continue;
        this.#pods.set(key, wanted);
        changed = true;
      }
    }
    this.#snapshot = snapshot;
    this.#answers?.settled();
    return changed;
  }

  /** Those of changed namespaces, too: what a namespace and its network policies say counts for its pods. */
  #touchedPods(snapshot: ClusterSnapshot): ReadonlySet<ObjectKey> {
    const touched = new Set(changedKeys(this.#snapshot, snapshot, 'pods'));
    const namespaces = new Set(changedKeys(this.#snapshot, snapshot, 'namespaces'));
    if (namespaces.size === 0 && (this.#answers?.isSettled ?? true)) return touched;
    for (const key of this.#pods.keys()) {
      // Those that went are touched already.
      const pod = snapshot.pods.get(key);
      if (pod === undefined || touched.has(key)) continue;
      if (namespaces.has(namespaceKey(pod.namespace)) || this.#answers?.concerns(pod)) touched.add(key);
    }
    return touched;
  }

  /** A pod can be heard of before its namespace, by another watch: until then it is looked at only. */
  #localPod(pod: PodRow, snapshot: ClusterSnapshot): LocalPod {
    const namespace = snapshot.namespaces.get(namespaceKey(pod.namespace));
    const wishes = { pod: pod.redirect, namespace: namespace === undefined ? 'deny' : namespace.redirect };
    const permission: Permission = permissionOf(wishes, this.#rule);
    const key = objectKey(pod);
    const answers = this.#answers?.decide(key, { pod, namespace, permission }) ?? false;
    return { pod: key, addresses: pod.podIPs, ...permission, ...(answers ? { answers } : {}) };
  }
}

/** Pods on the host's network have no interface of their own, finished ones none any more. */
function hasInterface(pod: PodRow, nodeName: string): boolean {
  const ended = pod.phase === 'Succeeded' || pod.phase === 'Failed';
  return pod.nodeName === nodeName && !pod.hostNetwork && !ended && pod.podIPs.length > 0;
}

function sameMembers<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index]);
}

function isSamePod(a: LocalPod, b: LocalPod): boolean {
  const flags = ['permitted', 'observeOnly', 'answers'] as const;
  return flags.every((flag) => a[flag] === b[flag]) && sameMembers(a.addresses, b.addresses);
}

/** Namespaces are cluster-scoped: their keys have an empty namespace. */
function namespaceKey(name: string): ObjectKey {
  return objectKey({ namespace: '', name });
}
