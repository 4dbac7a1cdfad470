/**
 * What the API server has told us, as one value. A snapshot is replaced whole and never changed; `generation` grows by
 * one each time. A kind that is not in `synced` has not been listed once, so absence from its map means nothing yet:
 * nobody may prune on the strength of it (design invariant 3).
 */
import type {
  EndpointSliceRow,
  LocalRedirectPolicyRow,
  NamespaceRow,
  NetworkPolicyRow,
  NodeRow,
  ObjectKey,
  PodRow,
  ServiceRow,
} from './rows.ts';

/** Kind name to row type; the names are the fields of `ClusterSnapshot`. */
export interface KindRows {
  readonly services: ServiceRow;
  readonly endpointSlices: EndpointSliceRow;
  readonly pods: PodRow;
  readonly nodes: NodeRow;
  readonly namespaces: NamespaceRow;
  readonly localRedirectPolicies: LocalRedirectPolicyRow;
  readonly networkPolicies: NetworkPolicyRow;
  /** multicluster.x-k8s.io ServiceImports: to their readers services like others. */
  readonly serviceImports: ServiceRow;
  /** EndpointSlices of imported services, under the name of the import. */
  readonly importedSlices: EndpointSliceRow;
}

export type KindName = keyof KindRows;

export type ClusterTables = { readonly [K in KindName]: ReadonlyMap<ObjectKey, KindRows[K]> };

export interface ClusterSnapshot extends ClusterTables {
  readonly generation: number;
  /**
   * The kinds that have been listed at least once. A kind nobody asked to watch never gets in. Network policies get out again
   * while the server says that we may not have them: who held on to them would go on allowing what one has closed since.
   */
  readonly synced: ReadonlySet<KindName>;
  /**
   * The keys that may differ from the snapshot of the generation before; kinds without an entry do not differ. Absent:
   * compare. What makes one changed row among fifty thousand cheap to follow.
   */
  readonly changed?: ReadonlyMap<KindName, ReadonlySet<ObjectKey>>;
}

export const EMPTY_SNAPSHOT: ClusterSnapshot = {
  generation: 0,
  synced: new Set(),
  services: new Map(),
  endpointSlices: new Map(),
  pods: new Map(),
  nodes: new Map(),
  namespaces: new Map(),
  localRedirectPolicies: new Map(),
  networkPolicies: new Map(),
  serviceImports: new Map(),
  importedSlices: new Map(),
};
