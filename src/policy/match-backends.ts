/**
 * Which pods of this node serve a redirected frontend, and on which port (local-redirect-policy 2.3, 2.5). Nothing is
 * ever taken from another node or namespace. Words for the pods that were passed over are in explain.ts.
 */
import { type ContainerPortRow, objectKey, type PodRow } from '../cluster/rows.ts';
import { ipFamily } from '../net/ip.ts';
import { backendAddresses } from './backend-address.ts';
import { matchesByName } from './match-frontends.ts';
import { sortByName, sortTuples, tupleKey } from './order.ts';
import { type PolicyPort, samePort } from './policy-ports.ts';
import type { Backend, Frontend } from './table.ts';
import type { ValidPolicy } from './validate.ts';

/** The pods of the node that the policy selects, by what they can do now. */
export interface SelectedPods {
  readonly usable: readonly PodRow[];
  /** Ready but being deleted: used for an address matcher while nothing else is (R5). */
  readonly leaving: readonly PodRow[];
  /** Not ready, or without an address that may be used. */
  readonly unusable: readonly PodRow[];
}

/** `selected` are the pods of this node and of the policy's namespace that the selector matches. */
export function sortOutPods(policy: ValidPolicy, selected: Iterable<PodRow>): SelectedPods {
  const groups: Record<keyof SelectedPods, PodRow[]> = { usable: [], leaving: [], unusable: [] };
  for (const pod of sortByName(selected)) {
    const serving = pod.ready && backendAddresses(pod, policy.backendAddresses).length > 0;
    groups[serving ? (pod.deleting ? 'leaving' : 'usable') : 'unusable'].push(pod);
  }
  return groups;
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
    const addresses = backendAddresses(pod, policy.backendAddresses).filter(
      (address) => ipFamily(address) === family,
    );
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
