/**
 * The kinds the lab serves: their names in paths, in manifests and in kubectl's short forms. A new kind is one entry
 * here, a printer in `table-columns.ts` if its table is to say more than name and age, and a validator if it has rules.
 */
export type ResourceKind =
  | 'Namespace'
  | 'Node'
  | 'Pod'
  | 'Service'
  | 'ServiceAccount'
  | 'ConfigMap'
  | 'Event'
  | 'EndpointSlice'
  | 'Lease'
  | 'DaemonSet'
  | 'Deployment'
  | 'StatefulSet'
  | 'NetworkPolicy'
  | 'CustomResourceDefinition'
  | 'CiliumLocalRedirectPolicy'
  | 'CiliumNetworkPolicy'
  | 'CiliumClusterwideNetworkPolicy';

export interface Resource {
  readonly kind: ResourceKind;
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly statusSubresource: boolean;
  /** Fields usable in a fieldSelector besides metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  /** Clients may list and watch, nothing else. */
  readonly readOnly: boolean;
}

type Entry = Pick<Resource, 'kind' | 'plural'> & Partial<Resource>;

const INVOLVED = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'fieldPath', 'resourceVersion'];

function resource(entry: Entry): Resource {
  return {
    group: '',
    version: 'v1',
    singular: entry.kind.toLowerCase(),
    namespaced: true,
    shortNames: [],
    categories: [],
    statusSubresource: false,
    selectableFields: [],
    readOnly: false,
    ...entry,
  };
}

export const RESOURCES: readonly Resource[] = [
  resource({
    kind: 'Namespace',
    plural: 'namespaces',
    namespaced: false,
    shortNames: ['ns'],
    statusSubresource: true,
    selectableFields: ['status.phase'],
  }),
  resource({
    kind: 'Node',
    plural: 'nodes',
    namespaced: false,
    shortNames: ['no'],
    statusSubresource: true,
    selectableFields: ['spec.unschedulable'],
  }),
  resource({
    kind: 'Pod',
    plural: 'pods',
    shortNames: ['po'],
    categories: ['all'],
    statusSubresource: true,
    selectableFields: ['spec.nodeName', 'status.phase', 'status.podIP', 'spec.restartPolicy'],
  }),
  resource({
    kind: 'Service',
    plural: 'services',
    shortNames: ['svc'],
    categories: ['all'],
    statusSubresource: true,
    selectableFields: ['spec.clusterIP', 'spec.type'],
  }),
  resource({ kind: 'ServiceAccount', plural: 'serviceaccounts', shortNames: ['sa'] }),
  resource({ kind: 'ConfigMap', plural: 'configmaps', shortNames: ['cm'] }),
  resource({
    kind: 'Event',
    plural: 'events',
    shortNames: ['ev'],
    selectableFields: [...INVOLVED.map((field) => `involvedObject.${field}`), 'reason', 'type', 'source'],
  }),
  resource({ kind: 'EndpointSlice', plural: 'endpointslices', group: 'discovery.k8s.io' }),
  resource({ kind: 'Lease', plural: 'leases', group: 'coordination.k8s.io' }),
  resource({
    kind: 'DaemonSet',
    plural: 'daemonsets',
    group: 'apps',
    shortNames: ['ds'],
    categories: ['all'],
    statusSubresource: true,
  }),
  resource({
    kind: 'Deployment',
    plural: 'deployments',
    group: 'apps',
    shortNames: ['deploy'],
    categories: ['all'],
    statusSubresource: true,
  }),
  resource({
    kind: 'StatefulSet',
    plural: 'statefulsets',
    group: 'apps',
    shortNames: ['sts'],
    categories: ['all'],
    statusSubresource: true,
  }),
  // The lab enforces none of these for packets, which go as they went. Agents and the doctor read them.
  resource({
    kind: 'NetworkPolicy',
    plural: 'networkpolicies',
    group: 'networking.k8s.io',
    shortNames: ['netpol'],
  }),
  resource({
    kind: 'CustomResourceDefinition',
    plural: 'customresourcedefinitions',
    group: 'apiextensions.k8s.io',
    namespaced: false,
    shortNames: ['crd', 'crds'],
    readOnly: true,
  }),
  resource({
    kind: 'CiliumLocalRedirectPolicy',
    plural: 'ciliumlocalredirectpolicies',
    group: 'cilium.io',
    version: 'v2',
    shortNames: ['clrp', 'lrp'],
    categories: ['cilium', 'ciliumpolicy'],
  }),
  resource({
    kind: 'CiliumNetworkPolicy',
    plural: 'ciliumnetworkpolicies',
    group: 'cilium.io',
    version: 'v2',
    shortNames: ['cnp', 'ciliumnp'],
    categories: ['cilium', 'ciliumpolicy'],
  }),
  resource({
    kind: 'CiliumClusterwideNetworkPolicy',
    plural: 'ciliumclusterwidenetworkpolicies',
    group: 'cilium.io',
    version: 'v2',
    namespaced: false,
    shortNames: ['ccnp'],
    categories: ['cilium', 'ciliumpolicy'],
  }),
];

export function apiVersionOf(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** Throws on a kind that is not in the table, which the type allows nobody to ask for. */
export function resourceOf(kind: ResourceKind): Resource {
  const found = RESOURCES.find((candidate) => candidate.kind === kind);
  if (found === undefined) throw new Error(`Cannot find the kind ${kind}`);
  return found;
}

/** By what a manifest says of itself. */
export function findResource(apiVersion: unknown, kind: unknown): Resource | undefined {
  return RESOURCES.find((candidate) => candidate.kind === kind && apiVersionOf(candidate) === apiVersion);
}

/** The definition object of the one custom kind, for `kubectl get crd`. */
export const LOCAL_REDIRECT_POLICY_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'ciliumlocalredirectpolicies.cilium.io' },
  spec: {
    group: 'cilium.io',
    names: {
      kind: 'CiliumLocalRedirectPolicy',
      listKind: 'CiliumLocalRedirectPolicyList',
      plural: 'ciliumlocalredirectpolicies',
      singular: 'ciliumlocalredirectpolicy',
      shortNames: ['clrp', 'lrp'],
      categories: ['cilium', 'ciliumpolicy'],
    },
    scope: 'Namespaced',
    versions: [{ name: 'v2', served: true, storage: true }],
  },
} as const;
