/**
 * Why a matched frontend has no local backend, in words that name what to change: the label, the port, the family.
 * Users of this kind of policy lose days to silent mismatches between service, policy and pod.
 */
import { objectKey, type PodRow } from '../cluster/rows.ts';
import { ipFamily } from '../net/ip.ts';
import { formatAddressPort } from '../net/port.ts';
import { refusedAddress } from './backend-address.ts';
import type { Neighbours } from './indexes/pod-index.ts';
import { portServes, type SelectedPods } from './match-backends.ts';
import { matchesByName } from './match-frontends.ts';
import { compareText } from './order.ts';
import { formatNamedPort, formatPort } from './policy-ports.ts';
import { formatSelector, labelTrouble } from './selector.ts';
import type { Surroundings } from './settle.ts';
import type { Frontend } from './table.ts';
import type { ValidPolicy } from './validate.ts';

/** Reasons go into status rows and log lines, and pods can be many. */
const MAX_CLAUSES = 6;

/** `10.96.0.10:53/UDP`, IPv6 in brackets. */
export function formatFrontend(frontend: Frontend): string {
  return `${formatAddressPort(frontend.address, frontend.port)}/${frontend.protocol}`;
}

/** One clause for each, as one text; those that would make it endless are counted instead of made. */
export function joinClauses<T>(items: readonly T[], clause: (item: T) => string): string {
  const told = items.slice(0, MAX_CLAUSES).map(clause).join('; ');
  return items.length <= MAX_CLAUSES ? told : `${told}; and ${items.length - MAX_CLAUSES} more`;
}

/** For a policy that selects no usable pod on this node: the pods it passed over, or how near others come. */
export function explainNoPod(
  policy: ValidPolicy,
  { pods, neighbours, nodeName }: Pick<Surroundings, 'pods' | 'neighbours' | 'nodeName'>,
): string {
  const passedOver = [...pods.unusable, ...pods.leaving];
  if (passedOver.length > 0) return joinClauses(passedOver, ({ pod }) => podTrouble(policy, pod));
  const where = `no pod of namespace ${policy.row.namespace} on node ${nodeName} matches ${formatSelector(policy.selector)}`;
  const hints = [nearMiss(policy, neighbours), elsewhere(policy, neighbours)].filter(
    (hint) => hint !== undefined,
  );
  return hints.length === 0 ? where : `${where} (${hints.join('; ')})`;
}

/** The first pod here for which a single label is wrong, and which: mostly a slip in the policy or in the pods. */
function nearMiss(policy: ValidPolicy, { local }: Neighbours): string | undefined {
  let found: { readonly pod: PodRow; readonly trouble: string } | undefined;
  for (const pod of local.values()) {
    const trouble = labelTrouble(policy.selector, pod.labels);
    if (trouble !== undefined && (found === undefined || compareText(pod.name, found.pod.name) < 0)) {
      found = { pod, trouble };
    }
  }
  return found === undefined ? undefined : `pod ${objectKey(found.pod)} ${found.trouble}`;
}

function elsewhere(policy: ValidPolicy, { remote }: Neighbours): string | undefined {
  let found: PodRow | undefined;
  for (const pod of remote.values()) {
    if (pod.nodeName === '' || !policy.selects(pod.labels)) continue;
    if (found === undefined || compareText(pod.name, found.name) < 0) found = pod;
  }
  return found === undefined ? undefined : `pod ${objectKey(found)} does, on ${found.nodeName}`;
}

/** For one frontend, when usable pods exist and yet none serves it. */
export function explainNoBackend(policy: ValidPolicy, frontend: Frontend, pods: SelectedPods): string {
  const family = ipFamily(frontend.address);
  return joinClauses(pods.usable, ({ pod, ports }) => {
    const serves = ports.some((port) => portServes(frontend, port));
    return serves ? `pod ${objectKey(pod)} has no IPv${family} address` : portTrouble(policy, frontend, pod);
  });
}

function podTrouble(policy: ValidPolicy, pod: PodRow): string {
  const key = objectKey(pod);
  if (pod.deleting) return `pod ${key} is being deleted`;
  if (!pod.ready) return `pod ${key} is not ready`;
  const refused = refusedAddress(pod, policy.backendAddresses);
  if (refused === undefined) return `pod ${key} has no IP address yet`;
  return `pod ${key} may not be reached at ${refused}, which is neither link-local nor an address of its node`;
}

function portTrouble(policy: ValidPolicy, frontend: Frontend, pod: PodRow): string {
  const key = objectKey(pod);
  const declared = pod.containerPorts.map(formatNamedPort);
  const list = declared.length === 0 ? 'no ports' : `only ${declared.join(', ')}`;
  if (!matchesByName(policy))
    return `pod ${key} declares ${list}, not ${formatPort(policy.ports.backend[0])}`;
  const name = frontend.portName?.toLowerCase();
  if (name === undefined) {
    return `pod ${key} declares ${list}, none of them with a backend port's name and ${frontend.protocol}`;
  }
  const sameName = pod.containerPorts.find(
    (port) => port.name?.toLowerCase() === name && port.protocol === frontend.protocol,
  );
  if (sameName === undefined) {
    return `pod ${key} declares no ${frontend.protocol} container port named ${JSON.stringify(name)} (it declares ${list})`;
  }
  const wanted = policy.ports.backend.map(formatNamedPort).join(', ');
  return `pod ${key} declares port ${JSON.stringify(name)} as ${formatPort(sameName)}, not among the backend ports ${wanted}`;
}
