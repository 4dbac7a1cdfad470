/**
 * Derivation for an agent that only watches: what policies ask for is shown, and none of it is wanted of the kernel. Where
 * an earlier agent of the node has redirected, the empty wish takes that away.
 */
import type { Deriver } from '../policy/deriver.ts';
import type { PolicyState, ServiceTable } from '../policy/table.ts';

/** What a policy's state says instead of its own. */
const REASON = 'this agent only observes: it redirects nothing';

/** A table that did not change stays the same object, as `Deriver` promises; policies of a changed one do not. */
export function withoutRedirects(deriver: Deriver): Deriver {
  let derived: ServiceTable | undefined;
  let shown: ServiceTable | undefined;
  return {
    update(snapshot) {
      const table = deriver.update(snapshot);
      if (shown !== undefined && table.policies === derived?.policies) {
        shown = table === derived ? shown : { ...shown, generation: table.generation };
      } else {
        shown = { generation: table.generation, redirects: [], policies: table.policies.map(observed) };
      }
      derived = table;
      return shown;
    },
  };
}

/** A policy that would redirect waits; one that is refused keeps saying why. */
function observed(state: PolicyState): PolicyState {
  return {
    ...state,
    ...(state.state === 'active' ? { state: 'waiting', reason: REASON } : {}),
    frontends: state.frontends.map(({ policy: _policy, ...frontend }) => ({
      ...frontend,
      type: 'ClusterIP',
      backends: [],
    })),
    skipRedirectFromBackend: false,
  };
}
