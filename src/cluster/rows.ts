/**
 * Slim immutable copies of the Kubernetes objects we use: only the fields somebody reads, values already parsed.
 * Made by `kube/` from API JSON, read by everyone else. Addresses that do not parse are dropped at that edge.
 */
import type { Ip } from '../net/ip.ts';
import type { Port, Protocol } from '../net/port.ts';
import type { Prefix } from '../net/prefix.ts';

export interface ObjectRow {
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Milliseconds since the epoch, from metadata.creationTimestamp (whole seconds in the API). */
  readonly createdAtMs: number;
}

/** `namespace/name`; the key of every per-kind map of a `ClusterSnapshot`. */
export type ObjectKey = string;

export function objectKey(row: { readonly namespace: string; readonly name: string }): ObjectKey {
  return `${row.namespace}/${row.name}`;
}

export interface ServicePortRow {
  /** Absent for the single unnamed port. */
  readonly name?: string;
  readonly port: Port;
  readonly protocol: Protocol;
  /** The port that the service has on the addresses of all nodes; absent when it has none. */
  readonly nodePort?: Port;
}

/** An SCTP port: kept apart, because only DNS knows what to do with one. */
export interface SctpPortRow {
  readonly name?: string;
  readonly port: Port;
}

export interface ServiceRow extends ObjectRow {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** Parsed spec.clusterIPs; empty for headless and ExternalName services. */
  readonly clusterIPs: readonly Ip[];
  /** spec.clusterIP is the word `None`. */
  readonly headless: boolean;
  readonly externalName?: string;
  readonly externalIPs: readonly Ip[];
  /** Of status.loadBalancer.ingress; absent when there are none. */
  readonly ingressIPs?: readonly Ip[];
  /** Host names that stand there instead of addresses, as written; absent when there are none. */
  readonly ingressNames?: readonly string[];
  /** SCTP ports are left out. */
  readonly ports: readonly ServicePortRow[];
  /** Absent when there are none. */
  readonly sctpPorts?: readonly SctpPortRow[];
  readonly selector: Readonly<Record<string, string>>;
  readonly publishNotReadyAddresses: boolean;
}

export interface EndpointRow {
  readonly addresses: readonly Ip[];
  /** conditions.ready, where absent means ready (discovery/v1). */
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly targetPod?: { readonly namespace: string; readonly name: string };
}

export interface EndpointPortRow {
  readonly name?: string;
  readonly port: Port;
  readonly protocol: Protocol;
}

export interface EndpointSliceRow extends ObjectRow {
  /** Label kubernetes.io/service-name; slices without it are left out. */
  readonly serviceName: string;
  readonly addressType: 'IPv4' | 'IPv6';
  readonly endpoints: readonly EndpointRow[];
  readonly ports: readonly EndpointPortRow[];
  /** Absent when there are none. */
  readonly sctpPorts?: readonly SctpPortRow[];
  /** When the change happened that this version of the slice tells of, in milliseconds since the epoch. */
  readonly triggeredAtMs?: number;
  /** Of imported slices: the cluster that the endpoints are in. */
  readonly sourceCluster?: string;
}

export interface ContainerPortRow {
  readonly name?: string;
  readonly port: Port;
  readonly protocol: Protocol;
}

export interface PodRow extends ObjectRow {
  readonly nodeName: string;
  /** status.podIPs, or status.podIP alone; empty until the pod has one. */
  readonly podIPs: readonly Ip[];
  readonly hostNetwork: boolean;
  /** Addresses of the node that are not among `podIPs`; only of pods on the host's network, absent when there are none. */
  readonly hostIPs?: readonly Ip[];
  readonly phase: string;
  /** Condition Ready is True. */
  readonly ready: boolean;
  /** metadata.deletionTimestamp is set. */
  readonly deleting: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** spec.containers[].ports, all containers; init containers are not looked at. */
  readonly containerPorts: readonly ContainerPortRow[];
  readonly workload?: { readonly kind: string; readonly name: string };
  /** Annotation zerohop.io/redirect; absent when there is none, or it is neither of the two. */
  readonly redirect?: RedirectWish;
  /** Annotation zerohop.io/kernel-answers; absent when there is none. */
  readonly kernelAnswers?: AnswerWish;
}

/** What a pod's or a namespace's owner says of redirecting its packets. */
export type RedirectWish = 'permit' | 'deny';

/** What they say of answers from the kernel. `unreadable`: something is written there that is neither of the two words. */
export type AnswerWish = 'allow' | 'deny' | 'unreadable';

export interface NodeRow extends ObjectRow {
  readonly internalIPs: readonly Ip[];
  /** spec.podCIDRs: the ranges of the node's pods, where the cluster itself hands them out; absent when there are none. */
  readonly podPrefixes?: readonly Prefix[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface NamespaceRow extends ObjectRow {
  readonly labels: Readonly<Record<string, string>>;
  /** Annotation zerohop.io/redirect, as of a pod. */
  readonly redirect?: RedirectWish;
  /** Annotation zerohop.io/kernel-answers, as of a pod. */
  readonly kernelAnswers?: AnswerWish;
}

/** One entry of any `toPorts` list, as written: nothing has been validated yet. */
export interface PortInfo {
  readonly port: string;
  readonly protocol: string;
  readonly name?: string;
}

export interface LabelExpression {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly matchExpressions: readonly LabelExpression[];
}

/**
 * A CiliumLocalRedirectPolicy (cilium.io/v2) as written. Validation is `policy`'s job, because its refusals are
 * part of a policy's state; a missing part of the spec is a missing field here. Without metadata.generation on purpose: a
 * status that is written raises it on every node, and nothing that anybody reads has changed then.
 */
export interface LocalRedirectPolicyRow extends ObjectRow {
  readonly skipRedirectFromBackend: boolean;
  readonly addressMatcher?: { readonly ip: string; readonly toPorts: readonly PortInfo[] };
  readonly serviceMatcher?: {
    readonly serviceName: string;
    readonly namespace: string;
    readonly toPorts: readonly PortInfo[];
  };
  readonly backendSelector?: LabelSelector;
  readonly backendPorts: readonly PortInfo[];
  /** Annotation zerohop.io/backend-address, as written; absent when there is none. */
  readonly backendAddress?: string;
}

/**
 * A NetworkPolicy (networking.k8s.io/v1) that is about what pods send; others are left out, and so is all that it says of
 * other protocols than UDP. What cannot be read closes and never opens: an unreadable selector is an absent one, whatever
 * else is unreadable is left out.
 */
export interface NetworkPolicyRow extends ObjectRow {
  /** Of pods of its own namespace. Absent: it cannot be read, so nobody knows whom the policy does not close. */
  readonly podSelector?: LabelSelector;
  /** What is open to the pods that it selects: each of these, and nothing else. */
  readonly egress: readonly EgressRuleRow[];
}

/** Open is what both its peers and its ports say. */
export interface EgressRuleRow {
  /** Absent: everybody. */
  readonly peers?: readonly EgressPeerRow[];
  /** UDP ports. Absent: all. */
  readonly ports?: readonly EgressPortRow[];
}

export type EgressPeerRow =
  | { readonly kind: 'block'; readonly prefix: Prefix; readonly except: readonly Prefix[] }
  | {
      readonly kind: 'pods';
      /** Absent: all of the namespaces. */
      readonly pods?: LabelSelector;
      /** Absent: the policy's own namespace. */
      readonly namespaces?: LabelSelector;
    };

/** A name is that of a container's port. */
export type EgressPortRow = { readonly first: Port; readonly last: Port } | { readonly name: string };
