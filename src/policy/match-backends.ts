/**
 * Which pods of this node serve a redirected frontend, and on which port (local-redirect-policy 2.3, 2.5). Nothing is
 * ever taken from another node or namespace. Words for the pods that were passed over are in explain.ts.
 */
import { type ContainerPortRow, objectKey, type PodRow } from '../cluster/rows.ts';
import { type Ip, ipFamily } from '../net/ip.ts';
import { backendAddresses } from './backend-address.ts';
import { matchesByName } from './match-frontends.ts';
import { sortByName, sortTuples, tupleKey } from './order.ts';
import { formatPort, type PolicyPort, samePort } from './policy-ports.ts';
import type { Backend, Frontend } from './table.ts';
import type { ValidPolicy } from './validate.ts';

/** A pod with what the policy can use of it, found once for all frontends. */
export interface Candidate {
  readonly pod: PodRow;
  readonly addresses: readonly Ip[];
  readonly ports: readonly PolicyPort[];
}

/** The pods of the node that the policy selects, by what they can do now. */
export interface SelectedPods {
  readonly usable: readonly Candidate[];
  /** Ready but being deleted: used for an address matcher while nothing else is (R5). */
  readonly leaving: readonly Candidate[];
  /** Not ready, or without an address that may be used. */
  readonly unusable: readonly Candidate[];
}

/** `selected` are the pods of this node and of the policy's namespace that the selector matches. */
export function sortOutPods(policy: ValidPolicy, selected: Iterable<PodRow>): SelectedPods {
  const groups: Record<keyof SelectedPods, Candidate[]> = { usable: [], leaving: [], unusable: [] };
  const accepted = portTest(policy);
  for (const pod of sortByName(selected)) {
    const addresses = backendAddresses(pod, policy.backendAddresses);
    const serving = pod.ready && addresses.length > 0;
    const group = serving ? (pod.deleting ? groups.leaving : groups.usable) : groups.unusable;
    group.push({ pod, addresses, ports: accepted(pod) });
  }
  return groups;
}

/**
 * A service matcher has its cluster-wide endpoints to fall back to, so a leaving pod is dropped at once. The traffic
 * of an address matcher has nowhere else to go.
 */
export function backendsFor(policy: ValidPolicy, frontend: Frontend, pods: SelectedPods): readonly Backend[] {
  const backends = backendsOf(frontend, pods.usable, 'active');
  if (backends.length > 0 || policy.matcher.kind === 'service') return backends;
  return backendsOf(frontend, pods.leaving, 'terminating');
}

/** The ports of one pod that the policy accepts, before a frontend is compared. */
function portTest(policy: ValidPolicy): (pod: PodRow) => readonly PolicyPort[] {
  const { backend } = policy.ports;
  if (matchesByName(policy)) {
    // Name and number are each looked up in the whole list; that both come from one entry is not asked.
    const names = new Set(backend.map((port) => port.name));
    const numbers = new Set(backend.map(formatPort));
    return (pod) => pod.containerPorts.flatMap((declared) => namedPort(declared, { names, numbers }));
  }
  const { port, protocol } = backend[0];
  return ({ containerPorts }) =>
    containerPorts.length === 0 || containerPorts.some((own) => samePort(own, backend[0]))
      ? [{ port, protocol }]
      : [];
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
  frontend: Frontend,
  candidates: readonly Candidate[],
  state: Backend['state'],
): readonly Backend[] {
  const family = ipFamily(frontend.address);
  const backends = new Map<string, Backend>();
  for (const { pod, addresses, ports } of candidates) {
    const serving = ports.filter((port) => portServes(frontend, port));
    for (const address of addresses) {
      if (ipFamily(address) !== family) continue;
      for (const { port, protocol } of serving) {
        const backend: Backend = { address, port, protocol, state, pod: objectKey(pod) };
        if (!backends.has(tupleKey(backend))) backends.set(tupleKey(backend), backend);
      }
    }
  }
  return sortTuples(backends.values());
}

function namedPort(
  declared: ContainerPortRow,
  wanted: { readonly names: ReadonlySet<string | undefined>; readonly numbers: ReadonlySet<string> },
): readonly PolicyPort[] {
  const name = declared.name?.toLowerCase();
  if (name === undefined || !wanted.names.has(name) || !wanted.numbers.has(formatPort(declared))) return [];
  const { port, protocol } = declared;
  return [{ port, protocol, name }];
}
