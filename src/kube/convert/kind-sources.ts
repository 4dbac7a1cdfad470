/** Where each kind of a `ClusterSnapshot` comes from and what turns its objects into rows. */
import type { KindName, KindRows } from '../../cluster/snapshot.ts';
import type { Conversion } from './conversion.ts';
import { convertEndpointSlice, convertImportedSlice, IMPORT_NAME_LABEL } from './convert-endpoint-slice.ts';
import { convertLocalRedirectPolicy } from './convert-local-redirect-policy.ts';
import { convertNetworkPolicy } from './convert-network-policy.ts';
import { convertNamespace, convertNode } from './convert-node.ts';
import { convertPod } from './convert-pod.ts';
import { convertService } from './convert-service.ts';
import { convertServiceImport } from './convert-service-import.ts';

export interface KindSource<Row> {
  /** Plural with its group, for log lines. */
  readonly resource: string;
  /** As objects say it of themselves; a list's is `KindList`. */
  readonly kind: string;
  /** The collection over all namespaces. */
  readonly path: string;
  readonly convert: (object: unknown) => Conversion<Row>;
  /** What the server is to leave out before anybody's own selector. */
  readonly labelSelector?: string;
  /** Its definition can be taken away, and everything of the kind with it. */
  readonly mayGo?: boolean;
  /** Where the server refuses it, what is known of it does not count: see `ClusterSnapshot.synced`. */
  readonly doubtful?: boolean;
}

export const KIND_SOURCES: { readonly [K in KindName]: KindSource<KindRows[K]> } = {
  services: { resource: 'services', kind: 'Service', path: '/api/v1/services', convert: convertService },
  endpointSlices: {
    resource: 'endpointslices.discovery.k8s.io',
    kind: 'EndpointSlice',
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    convert: convertEndpointSlice,
  },
  pods: { resource: 'pods', kind: 'Pod', path: '/api/v1/pods', convert: convertPod },
  nodes: { resource: 'nodes', kind: 'Node', path: '/api/v1/nodes', convert: convertNode },
  namespaces: {
    resource: 'namespaces',
    kind: 'Namespace',
    path: '/api/v1/namespaces',
    convert: convertNamespace,
  },
  localRedirectPolicies: {
    resource: 'ciliumlocalredirectpolicies.cilium.io',
    kind: 'CiliumLocalRedirectPolicy',
    path: '/apis/cilium.io/v2/ciliumlocalredirectpolicies',
    convert: convertLocalRedirectPolicy,
    mayGo: true,
  },
  networkPolicies: {
    resource: 'networkpolicies.networking.k8s.io',
    kind: 'NetworkPolicy',
    path: '/apis/networking.k8s.io/v1/networkpolicies',
    convert: convertNetworkPolicy,
    doubtful: true,
  },
  serviceImports: {
    resource: 'serviceimports.multicluster.x-k8s.io',
    kind: 'ServiceImport',
    path: '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports',
    convert: convertServiceImport,
  },
  importedSlices: {
    resource: 'endpointslices.discovery.k8s.io of other clusters',
    kind: 'EndpointSlice',
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    convert: convertImportedSlice,
    labelSelector: IMPORT_NAME_LABEL,
  },
};
