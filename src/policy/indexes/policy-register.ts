/**
 * All policies with what is known of each, found by what a change can touch. A change marks; `settle` does the work once,
 * however many changes marked the same policy. Rivals meet here: the oldest policy that asks for a frontend owns it whether
 * or not its pods are ready now, because while they are not the contract is the ordinary service and never another
 * policy's pods (R6). When the owner is deleted, malformed or no longer asks, the next one owns the frontend.
 */
import type { LocalRedirectPolicyRow, ObjectKey, PodRow } from '../../cluster/rows.ts';
import type { KindName } from '../../cluster/snapshot.ts';
import type { Ip } from '../../net/ip.ts';
import type { Port } from '../../net/port.ts';
import type { DeriveOptions } from '../deriver.ts';
import { sortOutPods } from '../match-backends.ts';
import { compareAge, sortByName, tupleKey } from '../order.ts';
import { type Plan, planPolicy } from '../plan.ts';
import { sameValue } from '../same-value.ts';
import { idleState, settlePolicy } from '../settle.ts';
import type { Frontend, PolicyState } from '../table.ts';
import { type ValidPolicy, validatePolicy } from '../validate.ts';
import type { NodeAddresses } from './node-addresses.ts';
import type { PodIndex } from './pod-index.ts';
import type { ServiceIndex } from './service-index.ts';

export interface PolicyRegisterParts {
  readonly options: DeriveOptions;
  readonly services: ServiceIndex;
  readonly nodes: NodeAddresses;
  readonly pods: PodIndex;
}

interface Entry {
  readonly row: LocalRedirectPolicyRow;
  /** Absent for a malformed policy, which asks for nothing. */
  readonly policy?: ValidPolicy;
  /** The pods of this node that it selects. */
  readonly selected: Map<ObjectKey, PodRow>;
  plan: Plan | undefined;
  /** The frontends that it claims, by `tupleKey`: not those whose ports can never agree, and none while it is blocked. */
  claims: ReadonlySet<string>;
  state: PolicyState | undefined;
}

export class PolicyRegister {
  readonly #parts: PolicyRegisterParts;
  readonly #entries = new Map<ObjectKey, Entry>();
  /** In the order of names; made again when policies come or go. */
  #ordered: readonly Entry[] | undefined;
  readonly #byNamespace = new Groups<string, Entry>();
  readonly #byService = new Groups<ObjectKey, Entry>();
  readonly #byAddress = new Groups<Ip, Entry>();
  readonly #byFrontend = new Groups<string, Entry>();
  readonly #replan = new Set<Entry>();
  readonly #touched = new Set<Entry>();

  constructor(parts: PolicyRegisterParts) {
    this.#parts = parts;
  }

  /**
   * Undefined removes. Another version of a policy, whatever changed in it, is another policy: nothing of the one before
   * stays in force.
   */
  set(key: ObjectKey, row: LocalRedirectPolicyRow | undefined): void {
    const before = this.#entries.get(key);
    if (before !== undefined) this.#forget(key, before);
    this.#ordered = undefined;
    if (row === undefined) return;
    const entry = this.#entryOf(row);
    // What was shown before is kept to compare with: an equal state stays the same object.
    entry.state = before?.state;
    this.#entries.set(key, entry);
    this.#touched.add(entry);
    if (entry.policy === undefined) return;
    this.#replan.add(entry);
    for (const [groups, name] of this.#namesOf(entry.policy)) groups.add(name, entry);
  }

  replanService(service: ObjectKey): void {
    for (const entry of this.#byService.get(service)) this.#replan.add(entry);
  }

  replanAddress(address: Ip): void {
    for (const entry of this.#byAddress.get(address)) this.#replan.add(entry);
  }

  replanNodePort(nodePort: Port): void {
    for (const entry of this.#byAddress.all()) {
      if (entry.policy?.ports.frontend.some(({ port }) => port === nodePort)) this.#replan.add(entry);
    }
  }

  touchAll(): void {
    for (const entry of this.#entries.values()) this.#touched.add(entry);
  }

  changePod(key: ObjectKey, before: PodRow | undefined, now: PodRow | undefined): void {
    const { pods } = this.#parts;
    const local = pods.isLocal(before) || pods.isLocal(now);
    for (const entry of this.#byNamespace.get((now ?? before)?.namespace ?? '')) {
      const selects = (pod: PodRow | undefined) =>
        pod !== undefined && entry.policy?.selects(pod.labels) === true;
      // While a policy has no pod, its reason speaks of those that come near.
      const spokenOf = entry.selected.size === 0 && (local || selects(before) || selects(now));
      const was = entry.selected.delete(key);
      const is = now !== undefined && pods.isLocal(now) && selects(now);
      if (is) entry.selected.set(key, now);
      if (was || is || spokenOf) this.#touched.add(entry);
    }
  }

  /** The states of all policies in the order of their names, those brought up to date that a change has touched. */
  settle(synced: ReadonlySet<KindName>): Iterable<PolicyState> {
    for (const entry of this.#replan) this.#makePlan(entry);
    this.#replan.clear();
    for (const entry of this.#touched) {
      const state = this.#stateOf(entry, synced);
      entry.state = entry.state === undefined ? state : keepEqual(entry.state, state);
    }
    this.#touched.clear();
    this.#ordered ??= sortByName([...this.#entries.values()].map((entry) => ({ ...entry.row, entry }))).map(
      ({ entry }) => entry,
    );
    return this.#ordered.flatMap(({ state }) => state ?? []);
  }

  #entryOf(row: LocalRedirectPolicyRow): Entry {
    const valid = validatePolicy(row, this.#parts.options);
    const selected = new Map<ObjectKey, PodRow>();
    const bare = { row, selected, plan: undefined, claims: new Set<string>(), state: undefined };
    if (!valid.ok) return bare;
    const policy = valid.value;
    for (const [key, pod] of this.#parts.pods.in(row.namespace).local) {
      if (policy.selects(pod.labels)) selected.set(key, pod);
    }
    return { ...bare, policy };
  }

  #forget(key: ObjectKey, entry: Entry): void {
    this.#entries.delete(key);
    this.#replan.delete(entry);
    this.#touched.delete(entry);
    if (entry.policy === undefined) return;
    for (const [groups, name] of this.#namesOf(entry.policy)) groups.delete(name, entry);
    this.#changePlan(entry, undefined);
  }

  #makePlan(entry: Entry): void {
    if (entry.policy === undefined) return;
    const { options, services, nodes } = this.#parts;
    const allowServiceAddresses = options.allowServiceAddresses === true;
    const plan = planPolicy(entry.policy, { services, nodes, allowServiceAddresses });
    this.#touched.add(entry);
    if (entry.plan === undefined || !sameValue(entry.plan, plan)) this.#changePlan(entry, plan);
  }

  /** Everyone who asks for the same frontends may now win or lose them. */
  #changePlan(entry: Entry, plan: Plan | undefined): void {
    const asked = [...frontendsOf(entry.plan), ...frontendsOf(plan)];
    for (const frontend of frontendsOf(entry.plan)) this.#byFrontend.delete(frontend, entry);
    entry.plan = plan;
    entry.claims = claimsOf(plan);
    for (const frontend of frontendsOf(plan)) this.#byFrontend.add(frontend, entry);
    for (const frontend of asked) {
      for (const rival of this.#byFrontend.get(frontend)) this.#touched.add(rival);
    }
  }

  #stateOf(entry: Entry, synced: ReadonlySet<KindName>): PolicyState {
    const { row, policy, plan } = entry;
    if (policy === undefined || plan === undefined) {
      const refused = validatePolicy(row, this.#parts.options);
      return idleState(row, 'malformed', refused.ok ? { code: '' } : refused);
    }
    return settlePolicy(policy, plan, {
      nodeName: this.#parts.options.nodeName,
      synced,
      service: (key) => this.#parts.services.get(key),
      neighbours: this.#parts.pods.in(row.namespace),
      pods: sortOutPods(policy, entry.selected.values()),
      ownerOf: (frontend) => this.#ownerOf(frontend),
    });
  }

  #ownerOf(frontend: Frontend): ObjectKey | undefined {
    const tuple = tupleKey(frontend);
    let oldest: Entry | undefined;
    for (const entry of this.#byFrontend.get(tuple)) {
      if (!entry.claims.has(tuple)) continue;
      if (oldest === undefined || compareAge(entry.row, oldest.row) < 0) oldest = entry;
    }
    return oldest?.policy?.key;
  }

  #namesOf({ row, matcher }: ValidPolicy): readonly (readonly [Groups<string, Entry>, string])[] {
    const namespace = [this.#byNamespace, row.namespace] as const;
    return matcher.kind === 'service'
      ? [namespace, [this.#byService, matcher.service]]
      : [namespace, [this.#byAddress, matcher.address]];
  }
}

function frontendsOf(plan: Plan | undefined): readonly string[] {
  return (plan?.matched ?? []).map(({ frontend }) => tupleKey(frontend));
}

function claimsOf(plan: Plan | undefined): ReadonlySet<string> {
  const open = plan?.blocked === undefined ? (plan?.matched ?? []) : [];
  return new Set(
    open.flatMap(({ frontend, refusal }) => (refusal === undefined ? [tupleKey(frontend)] : [])),
  );
}

/** The older of two states or frontends that say the same. */
function keepEqual(before: PolicyState, now: PolicyState): PolicyState {
  if (sameValue(before, now)) return before;
  const known = new Map(before.frontends.map((frontend) => [tupleKey(frontend), frontend]));
  const frontends = now.frontends.map((frontend) => {
    const old = known.get(tupleKey(frontend));
    return old !== undefined && sameValue(old, frontend) ? old : frontend;
  });
  return { ...now, frontends };
}

const NONE: ReadonlySet<never> = new Set();

class Groups<Name, Member> {
  readonly #groups = new Map<Name, Set<Member>>();

  get(name: Name): ReadonlySet<Member> {
    return this.#groups.get(name) ?? NONE;
  }

  *all(): Generator<Member> {
    for (const group of this.#groups.values()) yield* group;
  }

  add(name: Name, member: Member): void {
    const group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, new Set([member]));
    else group.add(member);
  }

  delete(name: Name, member: Member): void {
    const group = this.#groups.get(name);
    group?.delete(member);
    if (group?.size === 0) this.#groups.delete(name);
  }
}
