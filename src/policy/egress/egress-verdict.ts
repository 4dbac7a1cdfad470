/**
 * May a pod ask the node's DNS, by the network policies (networking.k8s.io/v1) of its namespace? Policies add up: a pod is
 * closed as soon as one selects it, and open to what any of those opens. In doubt it may not: its query then goes the way of
 * a packet, on which whoever enforces the policies decides.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import { formatAddressPort } from '../../net/port.ts';
import type { ClosingPolicy, OpeningRule } from './closing-policy.ts';
import type { EgressTarget } from './egress-target.ts';

type Labels = Readonly<Record<string, string>>;

export type EgressVerdict =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      /** Those that select the pod, in the order of their names; at least one. */
      readonly closedBy: readonly ObjectKey[];
      /** What none of them opens; absent where there is nothing that one could open. */
      readonly closedTo?: EgressTarget;
    };

const ALLOWED: EgressVerdict = { allowed: true };

/** `policies` are all those of the pod's namespace. Allowed is only a pod that may ask every one of `targets`. */
export function egressVerdict(
  labels: Labels,
  policies: Iterable<ClosingPolicy>,
  targets: readonly EgressTarget[],
): EgressVerdict {
  const closing = [...policies].filter((policy) => policy.closes(labels));
  if (closing.length === 0) return ALLOWED;
  const rules = closing.flatMap((policy) => policy.rules);
  const closedTo = targets.find((target) => !isOpen(target, rules));
  if (closedTo === undefined && targets.length > 0) return ALLOWED;
  const closedBy = closing.map(({ policy }) => policy).sort();
  return { allowed: false, closedBy, ...(closedTo && { closedTo }) };
}

/**
 * Whichever backend gets the packet. Whether a policy sees it before or after its translation is each network's own affair: it
 * is to be open as both.
 */
function isOpen({ address, port, backends }: EgressTarget, rules: readonly OpeningRule[]): boolean {
  return (
    backends.length > 0 &&
    backends.every((backend) =>
      [{ address, port }, backend].every((place) => rules.some((rule) => rule.opens(place, backend))),
    )
  );
}

const NAMED_AT_MOST = 3;

/** `network policy blue/closed does not plainly allow UDP to 10.96.0.10:53`. */
export function explainClosed({ closedBy, closedTo }: Extract<EgressVerdict, { allowed: false }>): string {
  const named = closedBy.slice(0, NAMED_AT_MOST).join(', ');
  const more = closedBy.length - NAMED_AT_MOST;
  const one = closedBy.length === 1;
  const who = `${one ? 'network policy' : 'network policies'} ${named}${more > 0 ? ` and ${more} more` : ''}`;
  if (closedTo === undefined)
    return `${who} ${one ? 'closes' : 'close'} its egress, and no redirected frontend is known`;
  const where = formatAddressPort(closedTo.address, closedTo.port);
  return `${who} ${one ? 'does' : 'do'} not plainly allow UDP to ${where}`;
}
