/**
 * One policy's state from its plan, its pods and its rivals. A frontend is redirected only with a backend in hand; whatever
 * is left alone gets a clause that says why.
 */
import { type LocalRedirectPolicyRow, type ObjectKey, objectKey, type ServiceRow } from '../cluster/rows.ts';
import type { KindName } from '../cluster/snapshot.ts';
import { type Failure, fail } from '../fault/result.ts';
import { refusedAddress } from './backend-address.ts';
import type { PolicyErrorCode } from './errors.ts';
import { explainNoBackend, explainNoPod, formatFrontend, joinClauses } from './explain.ts';
import type { Neighbours } from './indexes/pod-index.ts';
import { backendsFor, type SelectedPods } from './match-backends.ts';
import { explainNoFrontend, type MatchedFrontend } from './match-frontends.ts';
import { sortTuples } from './order.ts';
import type { Plan } from './plan.ts';
import { printable } from './printable.ts';
import type { Frontend, PolicyState } from './table.ts';
import { frontendTypeOf, type ValidPolicy } from './validate.ts';

export interface Surroundings {
  readonly nodeName: string;
  readonly synced: ReadonlySet<KindName>;
  readonly service: (key: ObjectKey) => ServiceRow | undefined;
  /** Of the policy's namespace, for words. */
  readonly neighbours: Neighbours;
  readonly pods: SelectedPods;
  /** The policy that owns the frontend: the oldest that asks for it. */
  readonly ownerOf: (frontend: Frontend) => ObjectKey | undefined;
}

/**
 * Without these lists a redirect could be wrong, not merely missing: an address matcher could take a service's address
 * that has not been heard of yet, a younger policy could win.
 */
const NEEDED_KINDS: readonly KindName[] = ['services', 'pods', 'localRedirectPolicies'];

export function settlePolicy(policy: ValidPolicy, plan: Plan, around: Surroundings): PolicyState {
  const { matched, blocked } = plan;
  const bare = matched.map(({ frontend }) => frontend);
  if (blocked !== undefined) return { ...idleState(policy.row, 'conflict', blocked), frontends: bare };
  const needed = plan.needs === undefined ? NEEDED_KINDS : [...NEEDED_KINDS, plan.needs];
  const unlisted = needed.filter((kind) => !around.synced.has(kind));
  if (unlisted.length > 0) return waiting(policy, bare, `${unlisted.join(', ')} have not been listed yet`);
  if (matched.length === 0) {
    const service = policy.matcher.kind === 'service' ? policy.matcher.service : '';
    return waiting(policy, [], explainNoFrontend(policy, around.service(service)));
  }
  const outcomes = matched.map((each) => redirect(policy, each, around));
  const frontends = outcomes.map(({ frontend }) => frontend);
  if (frontends.some(({ type }) => type === 'LocalRedirect')) {
    return {
      ...waiting(policy, sortTuples(frontends), reasonFor(policy, outcomes, around)),
      state: 'active',
    };
  }
  const open = outcomes.filter(({ refusal }) => refusal === undefined);
  const beaten = open.length > 0 && open.every(({ rival }) => rival !== undefined);
  const state = { ...waiting(policy, sortTuples(frontends), reasonFor(policy, outcomes, around)) };
  return beaten ? { ...state, state: 'conflict' } : { ...state, ...refusedBackend(policy, around) };
}

interface Outcome extends MatchedFrontend {
  /** The older policy that has the frontend. */
  readonly rival?: ObjectKey;
}

function redirect(
  policy: ValidPolicy,
  { frontend, refusal }: MatchedFrontend,
  around: Surroundings,
): Outcome {
  if (refusal !== undefined) return { frontend, refusal };
  const owner = around.ownerOf(frontend);
  if (owner !== undefined && owner !== policy.key) return { frontend, rival: owner };
  const backends = backendsFor(policy, frontend, around.pods);
  if (backends.length === 0) return { frontend: { ...frontend, policy: policy.key } };
  return { frontend: { ...frontend, type: 'LocalRedirect', backends, policy: policy.key } };
}

/** Says for every frontend that is left alone why; the absence of pods is said once. */
function reasonFor(policy: ValidPolicy, outcomes: readonly Outcome[], around: Surroundings): string {
  const alone = outcomes.filter(({ frontend }) => frontend.type !== 'LocalRedirect');
  const podsMissing = around.pods.usable.length === 0;
  const told = alone.filter(
    ({ refusal, rival }) => !podsMissing || refusal !== undefined || rival !== undefined,
  );
  const clauses = joinClauses(told, (outcome) => clauseOf(policy, outcome, around));
  if (told.length === alone.length) return clauses;
  return [explainNoPod(policy, around), clauses].filter((text) => text !== '').join('; ');
}

function clauseOf(
  policy: ValidPolicy,
  { frontend, refusal, rival }: Outcome,
  { pods }: Surroundings,
): string {
  const label = formatFrontend(frontend);
  if (rival !== undefined) return `${label} belongs to the older policy ${rival}`;
  return `${label} is left alone: ${refusal ?? explainNoBackend(policy, frontend, pods)}`;
}

/** An address that may not be used keeps its code also on a node where that is one reason among others. */
function refusedBackend(policy: ValidPolicy, { pods }: Surroundings): { code?: string } {
  const code: PolicyErrorCode = 'POLICY_BACKEND_ADDRESS_NOT_ALLOWED';
  const all = [...pods.usable, ...pods.leaving, ...pods.unusable];
  return all.some(({ pod }) => refusedAddress(pod, policy.backendAddresses) !== undefined) ? { code } : {};
}

/** Of a policy that redirects nothing. */
export function idleState(
  row: LocalRedirectPolicyRow,
  state: PolicyState['state'],
  failure: Failure,
): PolicyState {
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

function waiting(policy: ValidPolicy, frontends: readonly Frontend[], reason: string): PolicyState {
  return { ...idleState(policy.row, 'waiting', fail('', undefined, reason)), frontends };
}
