/**
 * Which frontends a policy asks for (local-redirect-policy 2.2), judged by the policy and the service alone. Pods are
 * not looked at: what a policy may claim must not change with their readiness, or rivals would swap under load.
 */
import type { ObjectKey, ServiceRow } from '../cluster/rows.ts';
import { sortTuples, tupleKey } from './order.ts';
import { formatNamedPort, formatPort, type PolicyPort, samePort } from './policy-ports.ts';
import type { Frontend } from './table.ts';
import type { ValidPolicy } from './validate.ts';

export interface MatchedFrontend {
  /** As it stands in `PolicyState` while it is not redirected: type ClusterIP, no backends. */
  readonly frontend: Frontend;
  /** Why no pod whatever could make the policy redirect it; absent if the ports agree. */
  readonly refusal?: string;
}

/** In the order of the service table. Empty when the service does not exist or has no such port. */
export function matchFrontends(
  policy: ValidPolicy,
  frontendsOf: (service: ObjectKey) => readonly Frontend[],
): readonly MatchedFrontend[] {
  return policy.matcher.kind === 'address'
    ? addressFrontends(policy)
    : frontendsOf(policy.matcher.service)
        .filter((frontend) => asksFor(policy, frontend))
        .map((frontend) => ({ frontend, ...refusal(policy, frontend) }));
}

/** Why `matchFrontends` found nothing, in words. */
export function explainNoFrontend(policy: ValidPolicy, service: ServiceRow | undefined): string {
  if (policy.matcher.kind === 'address') return 'the addressMatcher lists no ports';
  const { service: key } = policy.matcher;
  if (service === undefined) return `service ${key} does not exist`;
  if (service.type === 'ExternalName')
    return `service ${key} is of type ExternalName and has no cluster address`;
  if (service.headless) return `service ${key} is headless and has no cluster address`;
  if (service.clusterIPs.length === 0) return `service ${key} has no cluster address yet`;
  const wanted = policy.ports.frontend.map(formatPort).join(', ');
  const has = service.ports.map(formatNamedPort).join(', ') || 'no TCP or UDP port';
  return wanted === '' ? `service ${key} has ${has}` : `service ${key} has no port ${wanted} (it has ${has})`;
}

/**
 * True if backends are found by port name: always when the frontend ports are named, and for all ports of a service
 * when the backend list has more than one (2.3, the variant after upstream's 1.18 repairs).
 */
export function matchesByName(policy: ValidPolicy): boolean {
  const { frontend, backend } = policy.ports;
  return frontend.length > 1 || (frontend.length === 0 && backend.length > 1);
}

/** Step 2: the name of a toPorts entry plays no part here. */
function asksFor(policy: ValidPolicy, frontend: Frontend): boolean {
  const { frontend: wanted } = policy.ports;
  return wanted.length === 0 || wanted.some((port) => samePort(port, frontend));
}

/** Steps 3a to 3c. */
function refusal(policy: ValidPolicy, frontend: Frontend): { refusal?: string } {
  const { frontend: wanted, backend } = policy.ports;
  if (backend.length === 1 && !backend.some((port) => port.protocol === frontend.protocol)) {
    return { refusal: `the backend port ${formatPort(backend[0])} is not ${frontend.protocol}` };
  }
  if (backend.length === 1 || wanted.length === 1) return {};
  const names = backend.map((port) => port.name ?? '');
  const list = [...new Set(names)].join(', ');
  if (frontend.portName === undefined) {
    return { refusal: `the service port has no name, and the backend ports are found by name (${list})` };
  }
  return names.includes(frontend.portName.toLowerCase())
    ? {}
    : {
        refusal: `port name ${JSON.stringify(frontend.portName)} is not among the backend port names (${list})`,
      };
}

function addressFrontends(policy: ValidPolicy): readonly MatchedFrontend[] {
  const frontends = new Map<string, Frontend>();
  for (const port of policy.ports.frontend) {
    const frontend = addressFrontend(policy, port);
    if (frontend !== undefined && !frontends.has(tupleKey(frontend))) {
      frontends.set(tupleKey(frontend), frontend);
    }
  }
  return sortTuples(frontends.values()).map((frontend) => ({ frontend }));
}

/** A single port is kept without a name, so that no backend can be lost for its name. */
function addressFrontend(policy: ValidPolicy, port: PolicyPort): Frontend | undefined {
  if (policy.matcher.kind !== 'address') return undefined;
  return {
    address: policy.matcher.address,
    port: port.port,
    protocol: port.protocol,
    type: 'ClusterIP',
    service: `${policy.key}:local-redirect`,
    ...(port.name === undefined ? {} : { portName: port.name }),
    backends: [],
  };
}
