/**
 * The cluster's objects as far as a check reads them: slim rows, made by `read-cluster.ts` from API JSON or from manifests
 * alike. Rows of src/cluster stand as they are; those here carry what only the doctor wants to know.
 */
import type {
  ContainerPortRow,
  EndpointSliceRow,
  LabelSelector,
  LocalRedirectPolicyRow,
  NamespaceRow,
  NodeRow,
  ObjectRow,
  PodRow,
  ServiceRow,
} from '../../cluster/rows.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { Known } from './known.ts';

export interface ClusterFacts {
  readonly services: Known<readonly ServiceRow[]>;
  readonly endpointSlices: Known<readonly EndpointSliceRow[]>;
  readonly pods: Known<readonly PodFact[]>;
  /** DaemonSets and Deployments, with what their pods will be. */
  readonly workloads: Known<readonly WorkloadFact[]>;
  /** Those that hold a Corefile, and cilium-config. */
  readonly configMaps: Known<readonly ConfigMapFact[]>;
  readonly localRedirectPolicies: Known<readonly LocalRedirectPolicyRow[]>;
  readonly networkPolicies: Known<readonly NetworkPolicyFact[]>;
  /** CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy. */
  readonly ciliumPolicies: Known<readonly CiliumPolicyFact[]>;
  readonly nodes: Known<readonly NodeRow[]>;
  readonly namespaces: Known<readonly NamespaceRow[]>;
  /** Names of the definitions there are, as `ciliumlocalredirectpolicies.cilium.io`. */
  readonly definitions: Known<readonly string[]>;
  /** Data of ConfigMap kube-system/cilium-config; undefined inside: there is none. */
  readonly ciliumConfig: Known<Readonly<Record<string, string>> | undefined>;
  /** Values given to Helm, of files only; a cluster does not tell. */
  readonly helmValues: Known<readonly HelmValuesFact[]>;
}

export interface ContainerFact {
  readonly name: string;
  readonly image: string;
  /** `command` and `args`, one after the other. */
  readonly args: readonly string[];
  readonly ports: readonly ContainerPortRow[];
  /** resources.limits.memory in bytes. */
  readonly memoryLimit?: number;
  /** Names of ConfigMaps it mounts. */
  readonly configMaps: readonly string[];
}

/** What decides how a pod is run; of a pod, and of a workload's template. */
export interface PodSpecFact {
  readonly hostNetwork: boolean;
  /** As written; ClusterFirst where nothing is. */
  readonly dnsPolicy: string;
  /** spec.dnsConfig.nameservers. */
  readonly nameservers: readonly string[];
  /** enableServiceLinks: services that are there when it starts are in its environment. */
  readonly serviceLinks: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly containers: readonly ContainerFact[];
}

export interface PodFact extends PodRow {
  readonly spec: PodSpecFact;
}

export interface WorkloadFact extends ObjectRow {
  readonly kind: 'DaemonSet' | 'Deployment' | 'StatefulSet';
  readonly template: PodSpecFact;
}

export interface ConfigMapFact extends ObjectRow {
  readonly data: Readonly<Record<string, string>>;
}

/** networking.k8s.io/v1; directions that it does not isolate are absent. */
export interface NetworkPolicyFact extends ObjectRow {
  readonly podSelector: LabelSelector;
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
}

export interface PolicyRule {
  /** Empty: everybody. */
  readonly peers: readonly PolicyPeer[];
  /** Empty: every port. */
  readonly ports: readonly PolicyPort[];
}

export type PolicyPeer =
  | { readonly kind: 'block'; readonly prefix: Prefix; readonly except: readonly Prefix[] }
  | { readonly kind: 'pods'; readonly pods?: LabelSelector; readonly namespaces?: LabelSelector };

export interface PolicyPort {
  /** TCP where nothing is written. */
  readonly protocol: string;
  /** A number, a port's name, or absent for all. */
  readonly port?: number | string;
  readonly endPort?: number;
}

/** cilium.io/v2; only what decides about DNS. */
export interface CiliumPolicyFact extends ObjectRow {
  readonly kind: 'CiliumNetworkPolicy' | 'CiliumClusterwideNetworkPolicy';
  readonly rules: readonly CiliumRule[];
}

export interface CiliumRule {
  readonly endpointSelector?: LabelSelector;
  readonly egress: readonly CiliumEgress[];
  readonly egressDeny: readonly CiliumEgress[];
  /** Egress is isolated: by `enableDefaultDeny.egress`, or because it has egress rules. */
  readonly isolatesEgress: boolean;
}

export interface CiliumEgress {
  readonly endpoints: readonly LabelSelector[];
  readonly blocks: readonly { readonly prefix: Prefix; readonly except: readonly Prefix[] }[];
  readonly entities: readonly string[];
  /** `namespace/name`. */
  readonly services: readonly string[];
  readonly fqdns: readonly string[];
  readonly ports: readonly PolicyPort[];
  /** It has a DNS rule of layer 7: its packets go through Cilium's DNS proxy. */
  readonly dnsRules: boolean;
  /** None of the fields that name a peer is there: everybody. */
  readonly anyPeer: boolean;
}

export interface HelmValuesFact {
  /** The file, or what else to call it. */
  readonly source: string;
  readonly values: Readonly<Record<string, unknown>>;
}
