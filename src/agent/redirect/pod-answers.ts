/**
 * Which pods of this node get answers from the kernel, followed from snapshot to snapshot, and why others do not. A query
 * that the kernel answers is seen by nobody behind our program: a pod gets answers only where nothing is known that would have
 * wanted to see it. A no by annotation counts before all else, then a yes.
 */
import type { AnswerWish, NamespaceRow, ObjectKey, PodRow } from '../../cluster/rows.ts';
import type { ClusterSnapshot } from '../../cluster/snapshot.ts';
import { EgressRules } from '../../policy/egress/egress-rules.ts';
import { explainClosed } from '../../policy/egress/egress-verdict.ts';
import type { LabelTest } from '../../policy/selector.ts';
import type { Frontend, ServiceTable } from '../../policy/table.ts';
import type { Delivery } from './delivery.ts';
import type { Permission } from './permission.ts';

export interface AnswerRule {
  /** `stack`: netfilter may hold policies that nobody here can read, so only pods that say so get answers. */
  readonly delivery: Delivery['mode'];
}

export interface AnswerQuestion {
  readonly pod: PodRow;
  /** Undefined: it has not been heard of. */
  readonly namespace: NamespaceRow | undefined;
  readonly permission: Permission;
}

/** Asking more of them of each pod costs more than deciding. */
const TESTS_AT_MOST = 16;

const ANNOTATION = 'zerohop.io/kernel-answers';

export class PodAnswers {
  readonly #rule: AnswerRule;
  readonly #egress = new EgressRules();
  readonly #refusals = new Map<ObjectKey, string>();
  /** Who may have been decided wrongly since `settled`, by namespace; all of one where too many changes are to be asked. */
  readonly #concerned = new Map<string, LabelTest[] | 'all'>();
  #allConcerned = false;
  /** Network policies have been listed: before that, and where they may not be, everybody may be closed. */
  #known = false;

  constructor(rule: AnswerRule) {
    this.#rule = rule;
  }

  /** Of pods that `decide` was asked of. */
  get refusals(): ReadonlyMap<ObjectKey, string> {
    return this.#refusals;
  }

  /**
   * `table` is the one derived from `snapshot`, `answering` are frontends that are answered for beside it. What they change is
   * told by `concerns` until `settled`.
   */
  follow(snapshot: ClusterSnapshot, table: ServiceTable, answering: readonly Frontend[] = []): void {
    const known = snapshot.synced.has('networkPolicies');
    if (known !== this.#known) this.#allConcerned = true;
    this.#known = known;
    for (const { namespace, closes } of this.#egress.update(snapshot, table, answering)) {
      const tests = this.#concerned.get(namespace) ?? [];
      if (tests === 'all') continue;
      this.#concerned.set(namespace, tests.length < TESTS_AT_MOST ? [...tests, closes] : 'all');
    }
  }

  /** Nobody has to be decided again, but for those who have changed themselves. */
  get isSettled(): boolean {
    return !this.#allConcerned && this.#concerned.size === 0;
  }

  /** Whether a pod that has not changed itself must be decided again. */
  concerns(pod: PodRow): boolean {
    if (this.#allConcerned) return true;
    const tests = this.#concerned.get(pod.namespace) ?? [];
    return tests === 'all' || tests.some((closes) => closes(pod.labels));
  }

  settled(): void {
    this.#allConcerned = false;
    this.#concerned.clear();
  }

  decide(key: ObjectKey, question: AnswerQuestion): boolean {
    const refusal = this.#refusalOf(question);
    if (refusal === undefined) this.#refusals.delete(key);
    else this.#refusals.set(key, refusal);
    return refusal === undefined;
  }

  forget(key: ObjectKey): void {
    this.#refusals.delete(key);
  }

  #refusalOf({ pod, namespace, permission }: AnswerQuestion): string | undefined {
    if (namespace === undefined) return 'its namespace has not been heard of';
    const wishes = { 'the pod': pod.kernelAnswers, 'its namespace': namespace.kernelAnswers };
    const denied = denial(wishes);
    if (denied !== undefined) return denied;
    if (permission.observeOnly === true)
      return 'it is not redirected: annotation zerohop.io/redirect is deny';
    if (Object.values(wishes).includes('allow')) return undefined;
    if (this.#rule.delivery === 'stack')
      return `redirected packets go through the stack, where policies may be held, and no annotation ${ANNOTATION} is allow`;
    if (!this.#known)
      return 'network policies could not be listed: nobody knows whether one closes its egress';
    const verdict = this.#egress.verdict(pod);
    return verdict.allowed ? undefined : explainClosed(verdict);
  }
}

/** A word that is neither of the two is taken for the careful one. */
function denial(wishes: Readonly<Record<string, AnswerWish | undefined>>): string | undefined {
  for (const [who, wish] of Object.entries(wishes)) {
    if (wish === 'deny') return `annotation ${ANNOTATION} of ${who} is deny`;
    if (wish === 'unreadable') return `annotation ${ANNOTATION} of ${who} is neither allow nor deny`;
  }
  return undefined;
}
