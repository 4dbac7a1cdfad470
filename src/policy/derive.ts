/**
 * From what the API server says to what the node should do: one pure function for agent, doctor, dry run and tests.
 * Input maps are read in any order and the table comes out the same. A frontend is redirected only with a backend in
 * hand; everything else falls back to the ordinary service.
 */
import { type LocalRedirectPolicyRow, objectKey, type PodRow } from '../cluster/rows.ts';
import type { ClusterSnapshot, KindName } from '../cluster/snapshot.ts';
import { type Failure, fail } from '../fault/result.ts';
import type { Prefix } from '../net/prefix.ts';
import { type Claims, claimFrontends } from './conflicts.ts';
import type { PolicyErrorCode } from './errors.ts';
import { explainNoBackend, explainNoPod, formatFrontend, joinClauses } from './explain.ts';
import { backendsFor, type SelectedPods, selectPods } from './match-backends.ts';
import { explainNoFrontend, type MatchedFrontend, matchFrontends } from './match-frontends.ts';
import { sortByAge, sortByName, sortTuples, tupleKey } from './order.ts';
import { printable } from './printable.ts';
import { deriveServiceFrontends, type ServiceFrontends } from './service-frontends.ts';
import type { Frontend, PolicyState, ServiceTable } from './table.ts';
import { frontendTypeOf, type ValidPolicy, validatePolicy } from './validate.ts';

export interface DeriveOptions {
  /** Only pods with this spec.nodeName become local backends. */
  readonly nodeName: string;
  /** Addresses that address matchers may ask for; empty or absent allows all that no service owns. */
  readonly addressAllowList?: readonly Prefix[];
  /** Lets address matchers take addresses of services (R7). Off unless an operator asks for it in so many words. */
  readonly allowServiceAddresses?: boolean;
}

/** A valid policy with the frontends it asks for. */
interface Plan {
  readonly key: string;
  readonly policy: ValidPolicy;
  readonly matched: readonly MatchedFrontend[];
  /** Set when the policy may have nothing at all for now. */
  readonly blocked?: Failure;
}

/** The pods of one namespace, ordered. */
interface Neighbours {
  readonly all: readonly PodRow[];
  /** Those on this node. */
  readonly local: readonly PodRow[];
}

interface Context {
  readonly snapshot: ClusterSnapshot;
  readonly nodeName: string;
  readonly podsOf: (namespace: string) => Neighbours;
  readonly claims: Claims;
}

/**
 * Without these lists a redirect could be wrong, not merely missing: an address matcher could take a service's address
 * that has not been heard of yet, a younger policy could win.
 */
const NEEDED_KINDS: readonly KindName[] = ['services', 'pods', 'localRedirectPolicies'];

export function derive(snapshot: ClusterSnapshot, options: DeriveOptions): ServiceTable {
  const services = deriveServiceFrontends(snapshot);
  const states = new Map<LocalRedirectPolicyRow, PolicyState>();
  const plans = new Map<LocalRedirectPolicyRow, Plan>();
  for (const row of sortByAge(snapshot.localRedirectPolicies.values())) {
    const valid = validatePolicy(row, options.addressAllowList ?? []);
    if (valid.ok) plans.set(row, plan(valid.value, services, options));
    else states.set(row, idleState(row, 'malformed', valid));
  }
  const context: Context = {
    snapshot,
    nodeName: options.nodeName,
    podsOf: indexPods(snapshot.pods.values(), options.nodeName),
    claims: claimFrontends([...plans.values()].filter(({ blocked }) => blocked === undefined)),
  };
  for (const [row, each] of plans) states.set(row, settle(each, context));
  return {
    generation: snapshot.generation,
    frontends: mergeFrontends(services, states.values()),
    policies: sortByName(states.keys()).flatMap((row) => states.get(row) ?? []),
  };
}

/** A policy looks at its own namespace only; each is put in order when it is first asked for. */
function indexPods(pods: Iterable<PodRow>, nodeName: string): Context['podsOf'] {
  const groups = Map.groupBy(pods, ({ namespace }) => namespace);
  const known = new Map<string, Neighbours>();
  return (namespace) => {
    const before = known.get(namespace);
    if (before !== undefined) return before;
    const all = sortByName(groups.get(namespace) ?? []);
    const neighbours = { all, local: all.filter((pod) => pod.nodeName === nodeName) };
    known.set(namespace, neighbours);
    return neighbours;
  };
}

/** Redirected frontends take the place of the service's own; the others stay as the service has them. */
function mergeFrontends(services: ServiceFrontends, states: Iterable<PolicyState>): readonly Frontend[] {
  const merged = new Map(services.byTuple);
  for (const { frontends } of states) {
    for (const frontend of frontends) {
      if (frontend.type === 'LocalRedirect') merged.set(tupleKey(frontend), frontend);
    }
  }
  return sortTuples(merged.values());
}

function plan(policy: ValidPolicy, services: ServiceFrontends, options: DeriveOptions): Plan {
  const base = { key: policy.key, policy, matched: matchFrontends(policy, services) };
  if (policy.matcher.kind === 'service' || options.allowServiceAddresses === true) return base;
  const owner = services.owners.get(policy.matcher.address);
  if (owner === undefined) return base;
  const code: PolicyErrorCode = 'POLICY_ADDRESS_TAKEN';
  return {
    ...base,
    blocked: fail(code, undefined, `address ${policy.matcher.address} belongs to service ${owner}`),
  };
}

function settle(plan: Plan, context: Context): PolicyState {
  const { policy, matched, blocked } = plan;
  const bare = matched.map(({ frontend }) => frontend);
  if (blocked !== undefined) return { ...idleState(policy.row, 'conflict', blocked), frontends: bare };
  const unlisted = NEEDED_KINDS.filter((kind) => !context.snapshot.synced.has(kind));
  if (unlisted.length > 0) return waiting(policy, bare, `${unlisted.join(', ')} have not been listed yet`);
  if (matched.length === 0) {
    const service = policy.matcher.kind === 'service' ? policy.matcher.service : '';
    return waiting(policy, [], explainNoFrontend(policy, context.snapshot.services.get(service)));
  }
  const pods = selectPods(policy, context.podsOf(policy.row.namespace).local);
  const frontends = matched.map((each) => redirect(plan, each, { pods, claims: context.claims }));
  const open = matched.filter(({ refusal }) => refusal === undefined);
  const lost = open.filter(({ frontend }) => context.claims.get(tupleKey(frontend)) !== plan.key);
  const active = frontends.some(({ type }) => type === 'LocalRedirect');
  const beaten = open.length > 0 && lost.length === open.length;
  return {
    ...waiting(policy, sortTuples(frontends), reasonFor(plan, frontends, { pods, context })),
    state: active ? 'active' : beaten ? 'conflict' : 'waiting',
  };
}

function redirect(
  plan: Plan,
  { frontend, refusal }: MatchedFrontend,
  { pods, claims }: { pods: SelectedPods; claims: Claims },
): Frontend {
  if (refusal !== undefined || claims.get(tupleKey(frontend)) !== plan.key) return frontend;
  const backends = backendsFor(plan.policy, frontend, pods);
  if (backends.length === 0) return frontend;
  return { ...frontend, type: 'LocalRedirect', backends, policy: plan.key };
}

/** Says for every frontend that is left alone why; the absence of pods is said once. */
function reasonFor(
  plan: Plan,
  frontends: readonly Frontend[],
  { pods, context }: { pods: SelectedPods; context: Context },
): string {
  const clauses: string[] = [];
  let podsMissing = false;
  plan.matched.forEach(({ frontend, refusal }, index) => {
    if (frontends[index]?.type === 'LocalRedirect') return;
    const owner = context.claims.get(tupleKey(frontend));
    const label = formatFrontend(frontend);
    if (refusal !== undefined) clauses.push(`${label} is left alone: ${refusal}`);
    else if (owner !== plan.key) clauses.push(`${label} belongs to the older policy ${owner}`);
    else if (pods.usable.length === 0) podsMissing = true;
    else clauses.push(`${label} is left alone: ${explainNoBackend(plan.policy, frontend, pods)}`);
  });
  if (podsMissing) {
    const { all } = context.podsOf(plan.policy.row.namespace);
    clauses.unshift(explainNoPod(plan.policy, pods, { nodeName: context.nodeName, pods: all }));
  }
  return joinClauses(clauses);
}

function waiting(policy: ValidPolicy, frontends: readonly Frontend[], reason: string): PolicyState {
  return { ...idleState(policy.row, 'waiting', { code: '', reason }), frontends };
}

/** A policy that redirects nothing. */
function idleState(row: LocalRedirectPolicyRow, state: PolicyState['state'], failure: Failure): PolicyState {
  const matcher = row.serviceMatcher;
  return {
    policy: objectKey(row),
    uid: row.uid,
    frontendType: frontendTypeOf(row),
    ...(matcher === undefined || row.addressMatcher !== undefined
      ? {}
      : { service: objectKey({ namespace: matcher.namespace, name: matcher.serviceName }) }),
    state,
    reason: printable(failure.reason ?? ''),
    ...(failure.code === '' ? {} : { code: failure.code }),
    frontends: [],
    skipRedirectFromBackend: row.skipRedirectFromBackend,
  };
}
