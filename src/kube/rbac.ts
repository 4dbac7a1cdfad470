/**
 * What our programs may ask of the API server: the verbs they use and no others. Manifests and documentation quote these
 * tables, and tests hold recorded requests against them, so that a new request needs a new rule
 * first. Deliberately absent: `get` where a list is made, `delete` of anything, and Secrets.
 */

/** As in rbac.authorization.k8s.io/v1; `apiGroups: ['']` is the core group. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const WATCHED = ['list', 'watch'] as const;

/** ClusterRole of an agent that only watches (`--no-report-status`). */
export const AGENT_WATCH_RULES: readonly PolicyRule[] = [
  // Pods by field selector: those of the agent's own node.
  { apiGroups: [''], resources: ['services', 'pods', 'namespaces'], verbs: WATCHED },
  // Names behind the addresses of nodes; looked at again every half hour and not watched.
  { apiGroups: [''], resources: ['nodes'], verbs: ['list'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: WATCHED },
  { apiGroups: ['cilium.io'], resources: ['ciliumlocalredirectpolicies'], verbs: WATCHED },
];

/** ClusterRole, besides the above, of an agent with `--kernel-answers`: whose egress is closed gets none. */
export const AGENT_ANSWER_RULES: readonly PolicyRule[] = [
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: WATCHED },
];

/**
 * ClusterRole, besides the above, of an agent that reports: events stand in the namespace of the policy they tell of.
 * The custom resource definition has no status subresource, so the conditions are a patch of the object itself.
 */
export const AGENT_STATUS_RULES: readonly PolicyRule[] = [
  { apiGroups: ['cilium.io'], resources: ['ciliumlocalredirectpolicies'], verbs: ['patch'] },
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
];

/** The agent's whole ClusterRole. */
export const AGENT_RULES: readonly PolicyRule[] = [...AGENT_WATCH_RULES, ...AGENT_STATUS_RULES];

/** Role in the agent's own namespace (POD_NAMESPACE, else kube-system): its report, and who gathers them. */
export const AGENT_NAMESPACE_RULES: readonly PolicyRule[] = [
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['get', 'list', 'watch', 'create', 'patch'],
  },
];

/** ClusterRole of `zerohop dns` and `zerohop node-cache` with the `kubernetes` plugin in their Corefile. */
export const DNS_RULES: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['services', 'namespaces'], verbs: WATCHED },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: WATCHED },
];

/** Besides the above, for `pods verified`. */
export const DNS_VERIFIED_PODS_RULES: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['pods'], verbs: WATCHED },
];

/** Besides the above, for `multicluster`. */
export const DNS_MULTICLUSTER_RULES: readonly PolicyRule[] = [
  { apiGroups: ['multicluster.x-k8s.io'], resources: ['serviceimports'], verbs: WATCHED },
];
