/**
 * The leader's work: watches the nodes' leases and the policies, folds the ones into conditions of the others, writes
 * what changed, and tells of it in events. Looks at most once a second, writes one policy at a time, a change of words
 * alone at most every ten seconds. A server that drops the status is found out by its answer: from then on events only.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import { errorCode, errorText } from '../../fault/app-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { KIND_SOURCES } from '../../kube/convert/kind-sources.ts';
import { type Backoff, createBackoff } from '../../kube/watch/backoff.ts';
import { type ListWatch, startListWatch } from '../../kube/watch/list-watch.ts';
import { createOutageLog } from '../../kube/watch/outage-log.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { type ConditionJson, changeConditions, keptConditions } from './conditions.ts';
import type { EventSender } from './event-sender.ts';
import { foldReports, type Verdict } from './fold-reports.ts';
import { leasesPath, REPORT_LABEL, REPORT_LABEL_VALUE } from './lease.ts';
import { LiveNodes } from './live-nodes.ts';
import { type EventSubject, eventsFor } from './policy-events.ts';
import {
  convertPolicyObject,
  createNodeLeaseConverter,
  type NodeLease,
  type PolicyObject,
} from './policy-object.ts';
import { waitAfter } from './repeat.ts';

const LOOK_MS = 1_000;
/** Whatever nobody tells of: leases that end, writes that were put off. */
const WHOLE_LOOK_MS = 5_000;
const WORDS_REST_MS = 10_000;
const FORBIDDEN_RETRY_MS = 120_000;
/** A definition may be replaced by one that keeps the status. */
const PRUNED_RETRY_MS = 10 * 60_000;

export interface StatusWriterSpec {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Outlives the writer: what was seen while leading is told also when leading ends meanwhile. */
  readonly events: Pick<EventSender, 'send'>;
  /** The server dropped, or kept, what was written. */
  readonly onPruned: (pruned: boolean) => void;
}

/** What is remembered of a policy besides the object. */
interface Memory {
  readonly uid: string;
  /** The verdicts that were written or told last. */
  readonly told: Told;
  /** Before this moment a change of words alone is not written. */
  readonly notBeforeMs: number;
}

/** Works from its creation to `close`. */
export class StatusWriter {
  readonly #spec: StatusWriterSpec;
  readonly #nodes: LiveNodes;
  readonly #policies = new Map<ObjectKey, PolicyObject>();
  readonly #memory = new Map<ObjectKey, Memory>();
  readonly #watches: readonly ListWatch[];
  readonly #listed = new Set<'leases' | 'policies'>();
  readonly #backoff: Backoff;
  /** Something was told since the last round. */
  #stale = false;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #eventsOnlyUntilMs = Number.NEGATIVE_INFINITY;
  #restUntilMs = Number.NEGATIVE_INFINITY;
  #trouble: string | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(spec: StatusWriterSpec) {
    this.#spec = spec;
    this.#nodes = new LiveNodes(spec.clock);
    this.#backoff = createBackoff({ firstMs: 1_000, maxMs: 60_000, random: spec.random });
    this.#watches = [this.#watchLeases(), this.#watchPolicies()];
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const watch of this.#watches) watch.close();
  }

  #watchLeases(): ListWatch {
    const { client, log, clock, random, namespace } = this.#spec;
    return startListWatch<NodeLease>({
      ...{ client, log, clock, random, outages: createOutageLog(log) },
      resource: 'leases.coordination.k8s.io',
      path: leasesPath(namespace),
      labelSelector: `${REPORT_LABEL}=${REPORT_LABEL_VALUE}`,
      convert: createNodeLeaseConverter(),
      onList: (leases) => {
        this.#nodes.replace(leases);
        this.#listed.add('leases');
        this.#stale = true;
      },
      onRow: (key, lease) => {
        if (this.#nodes.set(key, lease)) this.#stale = true;
      },
      onMissing: () => undefined,
    });
  }

  #watchPolicies(): ListWatch {
    const { client, log, clock, random } = this.#spec;
    const { resource, path } = KIND_SOURCES.localRedirectPolicies;
    return startListWatch<PolicyObject>({
      ...{ client, log, clock, random, outages: createOutageLog(log) },
      ...{ resource, path, convert: convertPolicyObject },
      onList: (policies) => {
        this.#policies.clear();
        for (const [key, policy] of policies) this.#policies.set(key, policy);
        for (const key of this.#memory.keys()) if (!policies.has(key)) this.#memory.delete(key);
        this.#listed.add('policies');
        this.#stale = true;
      },
      onRow: (key, policy) => {
        this.#stale = true;
        if (policy !== undefined) this.#policies.set(key, policy);
        else {
          this.#policies.delete(key);
          this.#memory.delete(key);
        }
      },
      onMissing: () => undefined,
    });
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = this.#spec.clock.after(LOOK_MS, () => {
      this.#round()
        .catch((error: unknown) =>
          this.#spec.log.error(`Cannot write the status of policies: ${errorText(error)}`),
        )
        .finally(() => this.#schedule());
    });
  }

  async #round(): Promise<void> {
    const nowMs = this.#spec.clock.monotonicMs();
    const due = nowMs - this.#lookedAtMs >= WHOLE_LOOK_MS;
    if (this.#listed.size < 2 || !(this.#stale || due)) return;
    this.#stale = false;
    this.#lookedAtMs = nowMs;
    const nodes = this.#nodes.voices();
    for (const [key, policy] of [...this.#policies]) {
      if (this.#closed) return;
      if (this.#policies.get(key) === policy)
        await this.#settle(key, policy, foldReports({ uid: policy.uid, nodes }));
    }
  }

  async #settle(key: ObjectKey, policy: PolicyObject, verdicts: readonly Verdict[]): Promise<void> {
    const { clock } = this.#spec;
    const nowMs = clock.monotonicMs();
    const known = this.#memory.get(key);
    const memory = known?.uid === policy.uid ? known : undefined;
    const told = memory?.told ?? verdictsOf(policy.conditions);
    const news = transitions(told, verdicts);
    if (nowMs >= this.#eventsOnlyUntilMs) {
      const change = changeConditions({
        ...{ current: policy.conditions, verdicts, generation: policy.generation, nowMs: clock.nowMs() },
      });
      if (change === undefined || nowMs < this.#restUntilMs) return;
      if (news.length === 0 && nowMs < (memory?.notBeforeMs ?? 0)) return;
      if (!(await this.#write(key, policy, change))) return;
    }
    if (news.length > 0) this.#spec.events.send(subjectOf(policy), eventsFor(news, told));
    const next = new Map(verdicts.map((verdict) => [verdict.type as string, verdict]));
    this.#memory.set(key, { uid: policy.uid, told: next, notBeforeMs: nowMs + WORDS_REST_MS });
  }

  /** True when the change may be told of: it was stored, or never will be. */
  async #write(key: ObjectKey, policy: PolicyObject, conditions: readonly ConditionJson[]): Promise<boolean> {
    const { client } = this.#spec;
    const path = `/apis/cilium.io/v2/namespaces/${encodeURIComponent(policy.namespace)}/ciliumlocalredirectpolicies`;
    const metadata = { resourceVersion: policy.resourceVersion };
    try {
      const answer = await client.patch(`${path}/${encodeURIComponent(policy.name)}`, {
        metadata,
        status: { conditions },
      });
      this.#written(key, answer, keptConditions(answer, conditions));
      return true;
    } catch (error) {
      return this.#failed(key, error);
    }
  }

  #written(key: ObjectKey, answer: unknown, kept: boolean): void {
    if (this.#trouble !== undefined) this.#spec.log.info('can write the status of policies again');
    this.#trouble = undefined;
    this.#backoff.reset();
    this.#spec.onPruned(!kept);
    if (!kept) this.#eventsOnlyUntilMs = this.#spec.clock.monotonicMs() + PRUNED_RETRY_MS;
    const stored = convertPolicyObject(answer);
    // The watch tells the same a moment later; until then the next round must not compare with what was before.
    if (stored.ok && stored.value !== undefined && this.#policies.has(key))
      this.#policies.set(key, stored.value);
  }

  /** A refusal that will last leaves the events; what passes is tried again. */
  #failed(key: ObjectKey, error: unknown): boolean {
    const { clock, log } = this.#spec;
    const code = errorCode(error) ?? 'unknown';
    const nowMs = clock.monotonicMs();
    // Changed or deleted meanwhile: the watch is about to tell, and the next round sees it.
    if (code === 'KUBE_CONFLICT' || code === 'KUBE_NOT_FOUND') return false;
    if (code !== this.#trouble) log.warning(`Cannot write the status of policy ${key}: ${errorText(error)}`);
    this.#trouble = code;
    const waitMs = waitAfter(error, this.#backoff.nextMs());
    if (code === 'KUBE_FORBIDDEN' || code === 'KUBE_INVALID') {
      this.#eventsOnlyUntilMs = nowMs + Math.max(waitMs, FORBIDDEN_RETRY_MS);
      return true;
    }
    this.#restUntilMs = nowMs + waitMs;
    return false;
  }
}

function subjectOf({ namespace, name, uid }: PolicyObject): EventSubject {
  return { namespace, name, uid };
}

type Told = ReadonlyMap<string, Pick<Verdict, 'status' | 'reason'>>;

/** Those of `verdicts` that say something else than what was told before. */
function transitions(told: Told, verdicts: readonly Verdict[]): readonly Verdict[] {
  return verdicts.filter(({ type, status, reason }) => {
    const before = told.get(type);
    return before?.status !== status || before.reason !== reason;
  });
}

function verdictsOf(conditions: readonly ConditionJson[]): Told {
  const told = new Map<string, Pick<Verdict, 'status' | 'reason'>>();
  for (const { type, status, reason } of conditions) {
    const known = STATUSES.find((each) => each === status);
    if (typeof type === 'string' && known !== undefined && typeof reason === 'string')
      told.set(type, { status: known, reason });
  }
  return told;
}

const STATUSES = ['True', 'False', 'Unknown'] as const;
