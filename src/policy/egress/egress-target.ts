/** Where queries of this node's pods are redirected to, as network policies speak of it. */
import type { NamespaceRow, ObjectKey, PodRow } from '../../cluster/rows.ts';
import { type Ip, ipFamily } from '../../net/ip.ts';
import type { Port } from '../../net/port.ts';
import type { Backend, Frontend } from '../table.ts';

type Labels = Readonly<Record<string, string>>;

/** A frontend that is redirected, with the local backends that may get its packets. */
export interface EgressTarget {
  readonly address: Ip;
  readonly port: Port;
  readonly backends: readonly EgressBackend[];
}

export interface EgressBackend {
  readonly address: Ip;
  readonly port: Port;
  /**
   * Absent of pods that are not known and of those on the host's network: what a selector means for these is not defined, and
   * most networks ignore it.
   */
  readonly pod?: {
    readonly namespace: string;
    readonly labels: Labels;
    /** Absent while the namespace has not been heard of. */
    readonly namespaceLabels?: Labels;
    /** Named UDP ports of its containers. */
    readonly ports: readonly { readonly name: string; readonly port: Port }[];
  };
}

export interface KnownPods {
  readonly pods: ReadonlyMap<ObjectKey, PodRow>;
  readonly namespaces: ReadonlyMap<ObjectKey, NamespaceRow>;
}

/** One for each UDP frontend that is redirected: which of them speak DNS nobody has said. */
export function egressTargets(redirects: readonly Frontend[], known: KnownPods): readonly EgressTarget[] {
  return redirects.flatMap(({ address, port, protocol, type, backends }) =>
    protocol === 'UDP' && type === 'LocalRedirect'
      ? [{ address, port, backends: backends.map((backend) => egressBackend(backend, known)) }]
      : [],
  );
}

function egressBackend({ address, port, pod }: Backend, { pods, namespaces }: KnownPods): EgressBackend {
  const row = pod === undefined ? undefined : pods.get(pod);
  if (row === undefined || row.hostNetwork) return { address, port };
  const namespaceLabels = namespaces.get(`/${row.namespace}`)?.labels;
  const ports = row.containerPorts.flatMap((each) =>
    each.protocol === 'UDP' && each.name !== undefined ? [{ name: each.name, port: each.port }] : [],
  );
  return {
    address,
    port,
    pod: {
      ...{ namespace: row.namespace, labels: row.labels, ports },
      ...(namespaceLabels && { namespaceLabels }),
    },
  };
}

/** Those that a pod of these addresses can send to. */
export function reachable(
  targets: readonly EgressTarget[],
  addresses: readonly Ip[],
): readonly EgressTarget[] {
  const families = new Set(addresses.map(ipFamily));
  return targets.filter(({ address }) => families.has(ipFamily(address)));
}
