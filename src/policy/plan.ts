/**
 * What one policy asks for, judged by itself, the services and the nodes: neither pods nor rivals play a part, so a plan
 * stays as it is while pods come and go.
 */

import { objectKey } from '../cluster/rows.ts';
import type { KindName } from '../cluster/snapshot.ts';
import { type Failure, fail } from '../fault/result.ts';
import { isLinkLocal } from './backend-address.ts';
import type { PolicyErrorCode } from './errors.ts';
import type { NodeAddresses } from './indexes/node-addresses.ts';
import type { ServiceIndex } from './indexes/service-index.ts';
import { type MatchedFrontend, matchFrontends } from './match-frontends.ts';
import { formatPort } from './policy-ports.ts';
import type { ValidPolicy } from './validate.ts';

export interface Plan {
  readonly matched: readonly MatchedFrontend[];
  /** Set when the policy may have nothing at all for now. */
  readonly blocked?: Failure;
  /** What has to be listed before it is known whose the address is; besides what every policy waits for. */
  readonly needs?: KindName;
}

export interface PlanContext {
  readonly services: ServiceIndex;
  readonly nodes: NodeAddresses;
  /** Lets address matchers take addresses of services (R7). */
  readonly allowServiceAddresses: boolean;
}

export function planPolicy(policy: ValidPolicy, context: PlanContext): Plan {
  const matched = matchFrontends(policy, (service) => context.services.frontendsOf(service));
  if (policy.matcher.kind === 'service' || context.allowServiceAddresses) return { matched };
  const { address } = policy.matcher;
  const [owner] = context.services.withAddress(address);
  if (owner !== undefined) {
    return { matched, blocked: taken(`address ${address} belongs to service ${objectKey(owner)}`) };
  }
  return { matched, ...nodePortConflict(context, matched) };
}

/**
 * A NodePort service has its port on the addresses of all nodes, and only that port: other ports of a node are not the
 * service's. Which addresses are nodes' must be known first; a link-local address is no node's.
 */
function nodePortConflict(
  { services, nodes }: PlanContext,
  matched: readonly MatchedFrontend[],
): Pick<Plan, 'blocked' | 'needs'> {
  for (const { frontend } of matched) {
    const { address, port, protocol } = frontend;
    const owner = services.withNodePort(port, protocol);
    if (owner === undefined || isLinkLocal(address)) continue;
    if (nodes.has(address)) {
      const where = `node port ${formatPort(frontend)} on node address ${address}`;
      return { blocked: taken(`${where} belongs to service ${objectKey(owner)}`) };
    }
    return { needs: 'nodes' };
  }
  return {};
}

function taken(reason: string): Failure {
  const code: PolicyErrorCode = 'POLICY_ADDRESS_TAKEN';
  return fail(code, undefined, reason);
}
