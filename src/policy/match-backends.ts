/**
 * Which pods of this node serve a redirected frontend, and on which port (local-redirect-policy 2.3, 2.5). Nothing is
 * ever taken from another node or namespace. Words for the pods that were passed over are in explain.ts.
 */
import { type ContainerPortRow, objectKey, type PodRow } from '../cluster/rows.ts';
import { ipFamily } from '../net/ip.ts';
import { matchesByName } from './match-frontends.ts';
import { sortTuples, tupleKey } from './order.ts';
import { type PolicyPort, samePort } from './policy-ports.ts';
import type { Backend, Frontend } from './table.ts';
import type { ValidPolicy } from './validate.ts';

/** The pods of the node that the policy selects, by what they can do now. */
export interface SelectedPods {
  readonly usable: readonly PodRow[];
  /** Ready but being deleted: used for an address matcher while nothing else is (R5). */
  readonly leaving: readonly PodRow[];
  /** Not ready, or without an address. */
  readonly unusable: readonly PodRow[];
}

/** `pods` are those of this node and of the policy's namespace, ordered. */
export function selectPods(policy: ValidPolicy, pods: readonly PodRow[]): SelectedPods {
  const selected = pods.filter((pod) => policy.selects(pod.labels));
  const serving = selected.filter((pod) => pod.ready && pod.podIPs.length > 0);
  return {
    usable: serving.filter((pod) => !pod.deleting),
    leaving: serving.filter((pod) => pod.deleting),
    unusable: selected.filter((pod) => !serving.includes(pod)),
  };
}

/**
 * A service matcher has its cluster-wide endpoints to fall back to, so a leaving pod is dropped at once. The traffic
 * of an address matcher has nowhere else to go.
 */
export function backendsFor(policy: ValidPolicy, frontend: Frontend, pods: SelectedPods): readonly Backend[] {
  const backends = backendsOf(policy, frontend, pods.usable, 'active');
  if (backends.length > 0 || policy.matcher.kind === 'service') return backends;
  return backendsOf(policy, frontend, pods.leaving, 'terminating');
}

/** The ports of one pod that the policy accepts, before a frontend is compared. */
export function acceptedPorts(policy: ValidPolicy, pod: PodRow): readonly PolicyPort[] {
  const { backend } = policy.ports;
  if (matchesByName(policy)) {
    return pod.containerPorts.flatMap((declared) => namedPort(backend, declared));
  }
  const { port, protocol } = backend[0];
  const declares =
    pod.containerPorts.length === 0 || pod.containerPorts.some((own) => samePort(own, backend[0]));
  return declares ? [{ port, protocol }] : [];
}

/** Protocol equal, and the name where both sides have one. */
export function portServes(frontend: Frontend, port: PolicyPort): boolean {
  return (
    port.protocol === frontend.protocol &&
    (port.name === undefined ||
      frontend.portName === undefined ||
      port.name === frontend.portName.toLowerCase())
  );
}

function backendsOf(
  policy: ValidPolicy,
  frontend: Frontend,
  pods: readonly PodRow[],
  state: Backend['state'],
): readonly Backend[] {
  const family = ipFamily(frontend.address);
  const backends = new Map<string, Backend>();
  for (const pod of pods) {
    const ports = acceptedPorts(policy, pod).filter((port) => portServes(frontend, port));
    const addresses = pod.podIPs.filter((address) => ipFamily(address) === family);
    for (const address of addresses) {
      for (const { port, protocol } of ports) {
        const backend: Backend = { address, port, protocol, state, pod: objectKey(pod) };
        if (!backends.has(tupleKey(backend))) backends.set(tupleKey(backend), backend);
      }
    }
  }
  return sortTuples(backends.values());
}

/** Name and number are each looked up in the whole list; that both come from one entry is not asked. */
function namedPort(wanted: readonly PolicyPort[], declared: ContainerPortRow): readonly PolicyPort[] {
  const name = declared.name?.toLowerCase();
  if (name === undefined || !wanted.some((port) => port.name === name)) return [];
  const { port, protocol } = declared;
  return wanted.some((candidate) => samePort(candidate, declared)) ? [{ port, protocol, name }] : [];
}
