/**
 * Whether an agent can be relied on, from what it says about itself. One pod whose interface cannot be used, or one policy
 * that is refused, does not make it unready: a probe that failed for those would take the whole node's agent away.
 */
import type { AgentStatus } from './wire.ts';

/**
 * Why the agent is not ready, in words; undefined when it is. A kind whose definition the cluster lacks is not waited for:
 * without the policies' one there is nothing to redirect, and the agent goes on looking for it. Without network policies all
 * is redirected as ever: only answers from the kernel are missing, and it is told of each pod why.
 */
export function whyNotReady({ waitingFor, datapathError }: AgentStatus): string | undefined {
  if (datapathError !== undefined) return `the kernel refused: ${datapathError}`;
  const needed = waitingFor.filter((kind) => kind !== 'networkPolicies');
  if (needed.length > 0) return `the API server has not listed yet: ${needed.join(', ')}`;
  return undefined;
}
