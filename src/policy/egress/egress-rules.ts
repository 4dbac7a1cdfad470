/**
 * Network policies and redirected frontends followed from snapshot to snapshot: whom a change can concern is told, so that
 * only their verdicts are made again.
 */
import { changedKeys } from '../../cluster/changed-keys.ts';
import type { ObjectKey, PodRow } from '../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../../cluster/snapshot.ts';
import { sameValue } from '../same-value.ts';
import type { LabelTest } from '../selector.ts';
import type { Frontend, ServiceTable } from '../table.ts';
import { type ClosingPolicy, compilePolicy } from './closing-policy.ts';
import { type EgressTarget, egressTargets, reachable } from './egress-target.ts';
import { type EgressVerdict, egressVerdict } from './egress-verdict.ts';

/** Pods whose verdict may have changed: those of a namespace that a policy closes or has closed until now. */
export interface ConcernedPods {
  readonly namespace: string;
  readonly closes: LabelTest;
}

interface PolicyChange {
  readonly key: ObjectKey;
  /** Undefined: it is gone, or about egress no more. */
  readonly now: ClosingPolicy | undefined;
}

const NONE: ReadonlyMap<ObjectKey, ClosingPolicy> = new Map();
const EVERY_POD: LabelTest = () => true;

export class EgressRules {
  /** No entry without a policy. */
  readonly #byNamespace = new Map<string, Map<ObjectKey, ClosingPolicy>>();
  #snapshot: ClusterSnapshot = { ...EMPTY_SNAPSHOT, generation: Number.NaN };
  #targets: readonly EgressTarget[] = [];

  /**
   * `table` is the one derived from `snapshot`. `answering` are frontends that are redirected no more and yet answered for: to
   * them applies what did when their backends were there.
   */
  update(
    snapshot: ClusterSnapshot,
    table: ServiceTable,
    answering: readonly Frontend[] = [],
  ): readonly ConcernedPods[] {
    // What could throw comes first: after half of it, a second try would not find the other half's pods again.
    const changes = [...changedKeys(this.#snapshot, snapshot, 'networkPolicies')].map((key) => {
      const row = snapshot.networkPolicies.get(key);
      return { key, now: row && compilePolicy(row) };
    });
    const lasting = answering.flatMap((frontend) => {
      const isIt = ({ address, port }: EgressTarget) =>
        address === frontend.address && port === frontend.port;
      const known = this.#targets.find(isIt);
      return known === undefined ? egressTargets([frontend], snapshot) : [known];
    });
    const targets = [...egressTargets(table.redirects, snapshot), ...lasting];
    const concerned = changes.flatMap((change) => this.#replace(change));
    this.#snapshot = snapshot;
    if (sameValue(targets, this.#targets)) return concerned;
    this.#targets = targets;
    for (const namespace of this.#byNamespace.keys()) concerned.push({ namespace, closes: EVERY_POD });
    return concerned;
  }

  verdict(pod: PodRow): EgressVerdict {
    const policies = this.#byNamespace.get(pod.namespace) ?? NONE;
    return egressVerdict(pod.labels, policies.values(), reachable(this.#targets, pod.podIPs));
  }

  #replace({ key, now }: PolicyChange): readonly ConcernedPods[] {
    const namespace = key.slice(0, key.indexOf('/'));
    const policies = this.#byNamespace.get(namespace) ?? new Map<ObjectKey, ClosingPolicy>();
    const before = policies.get(key);
    if (now === undefined) policies.delete(key);
    else policies.set(key, now);
    if (policies.size === 0) this.#byNamespace.delete(namespace);
    else this.#byNamespace.set(namespace, policies);
    return [before, now].flatMap((policy) => (policy ? [{ namespace, closes: policy.closes }] : []));
  }
}
