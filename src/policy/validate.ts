/**
 * Decides whether a policy object means anything (local-redirect-policy 1.3). A refused one is treated as absent, also
 * when an earlier version of it was valid. What depends on other objects (is the address a service's?) is not asked
 * here.
 */
import type { LabelSelector, LocalRedirectPolicyRow, ObjectKey } from '../cluster/rows.ts';
import { objectKey } from '../cluster/rows.ts';
import { fail, ok, type Result } from '../fault/result.ts';
import { type Ip, parseIp } from '../net/ip.ts';
import { formatPrefix, type Prefix, prefixContains } from '../net/prefix.ts';
import { parseBackendAddresses } from './backend-address.ts';
import type { PolicyErrorCode } from './errors.ts';
import { type PolicyPorts, parsePolicyPorts } from './policy-ports.ts';
import { checkSelector, compileSelector, type LabelTest } from './selector.ts';
import type { FrontendType } from './table.ts';

export type Matcher =
  | { readonly kind: 'address'; readonly address: Ip }
  | { readonly kind: 'service'; readonly service: ObjectKey };

/** A policy that passed every rule. */
export interface ValidPolicy {
  readonly key: ObjectKey;
  readonly row: LocalRedirectPolicyRow;
  readonly frontendType: FrontendType;
  readonly matcher: Matcher;
  readonly ports: PolicyPorts;
  readonly selector: LabelSelector;
  readonly selects: LabelTest;
  /** Where backends on the host's network listen; absent: on the addresses of their pods. */
  readonly backendAddresses?: readonly Ip[];
}

/** What the administrator allows; an absent or empty list allows all. */
export interface PolicyLimits {
  /** Addresses that address matchers may ask for. */
  readonly addressAllowList?: readonly Prefix[];
  /** Names of the namespaces whose policies count. */
  readonly policyNamespaces?: readonly string[];
}

export function validatePolicy(row: LocalRedirectPolicyRow, limits: PolicyLimits): Result<ValidPolicy> {
  const { addressAllowList = [], policyNamespaces = [] } = limits;
  if (row.name === '') return refuse('POLICY_INCOMPLETE', 'the policy has no name');
  if (row.namespace === '') return refuse('POLICY_INCOMPLETE', 'the policy has no namespace');
  if (policyNamespaces.length > 0 && !policyNamespaces.includes(row.namespace)) {
    return refuse(
      'POLICY_NAMESPACE_NOT_ALLOWED',
      `namespace ${row.namespace} may not hold policies; those that may are ${policyNamespaces.join(', ')}`,
    );
  }
  const matcher = validateMatcher(row, addressAllowList);
  if (!matcher.ok) return matcher;
  const ports = parsePolicyPorts(frontendPorts(row), row.backendPorts);
  if (!ports.ok) return ports;
  const selector = row.backendSelector;
  if (selector === undefined) return refuse('POLICY_INCOMPLETE', 'the policy has no localEndpointSelector');
  const wrong = checkSelector(selector);
  if (wrong !== undefined) return refuse('POLICY_BAD_SELECTOR', wrong);
  const named = row.backendAddress === undefined ? undefined : parseBackendAddresses(row.backendAddress);
  if (named?.ok === false) return named;
  return ok({
    key: objectKey(row),
    row,
    frontendType: frontendTypeOf(row),
    matcher: matcher.value,
    ports: ports.value,
    selector,
    selects: compileSelector(selector),
    ...(named === undefined ? {} : { backendAddresses: named.value }),
  });
}

/** By the shape of the spec alone, so that a malformed policy is listed with it too. */
export function frontendTypeOf(row: LocalRedirectPolicyRow): FrontendType {
  if ((row.addressMatcher === undefined) === (row.serviceMatcher === undefined)) return 'unknown';
  const count = frontendPorts(row).length;
  if (row.addressMatcher !== undefined) {
    if (count === 0) return 'unknown';
    return count === 1 ? 'IP + port' : 'IP + named ports';
  }
  if (count === 0) return 'clusterIP + all svc ports';
  return count === 1 ? 'clusterIP + port' : 'clusterIP + named ports';
}

function frontendPorts(row: LocalRedirectPolicyRow) {
  return (row.addressMatcher ?? row.serviceMatcher)?.toPorts ?? [];
}

function validateMatcher(row: LocalRedirectPolicyRow, allowList: readonly Prefix[]): Result<Matcher> {
  const { addressMatcher, serviceMatcher } = row;
  if (addressMatcher !== undefined && serviceMatcher !== undefined) {
    return refuse('POLICY_INCOMPLETE', 'the policy has both an addressMatcher and a serviceMatcher');
  }
  if (addressMatcher !== undefined) return validateAddress(addressMatcher, allowList);
  if (serviceMatcher !== undefined) return validateService(serviceMatcher, row.namespace);
  return refuse('POLICY_INCOMPLETE', 'the policy has neither an addressMatcher nor a serviceMatcher');
}

function validateAddress(
  matcher: NonNullable<LocalRedirectPolicyRow['addressMatcher']>,
  allowList: readonly Prefix[],
): Result<Matcher> {
  const address = parseIp(matcher.ip);
  if (address === undefined) {
    return refuse('POLICY_BAD_ADDRESS', `ip ${JSON.stringify(matcher.ip)} is not an IP address`);
  }
  if (matcher.toPorts.length === 0) {
    return refuse('POLICY_INCOMPLETE', 'the addressMatcher lists no ports');
  }
  if (allowList.length > 0 && !allowList.some((prefix) => prefixContains(prefix, address))) {
    const allowed = allowList.map(formatPrefix).join(', ');
    return refuse(
      'POLICY_ADDRESS_NOT_ALLOWED',
      `ip ${address} lies in none of the allowed prefixes ${allowed}`,
    );
  }
  return ok({ kind: 'address', address });
}

/** A policy elsewhere could take over a service it has no rights on. */
function validateService(
  matcher: NonNullable<LocalRedirectPolicyRow['serviceMatcher']>,
  namespace: string,
): Result<Matcher> {
  if (matcher.serviceName === '') {
    return refuse('POLICY_BAD_SERVICE', 'the serviceMatcher has no serviceName');
  }
  if (matcher.namespace !== namespace) {
    return refuse(
      'POLICY_BAD_SERVICE',
      `namespace ${JSON.stringify(matcher.namespace)} of the serviceMatcher is not the policy's own, ${JSON.stringify(namespace)}`,
    );
  }
  return ok({ kind: 'service', service: `${matcher.namespace}/${matcher.serviceName}` });
}

function refuse(code: PolicyErrorCode, reason: string) {
  return fail(code, undefined, reason);
}
