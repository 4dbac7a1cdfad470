/**
 * The service table: what policy derivation wants the node to do, as rows. It is the one contract between policy,
 * datapath, agent and CLI. Rows are immutable and sorted, so that equal tables print and compare equal.
 */
import type { ObjectKey } from '../cluster/rows.ts';
import type { Ip } from '../net/ip.ts';
import type { Port, Protocol } from '../net/port.ts';

export interface Backend {
  readonly address: Ip;
  readonly port: Port;
  readonly protocol: Protocol;
  readonly state: 'active' | 'terminating';
  /** `namespace/name` of the pod, if the address is a pod's that we know. */
  readonly pod?: ObjectKey;
}

export interface Frontend {
  readonly address: Ip;
  readonly port: Port;
  readonly protocol: Protocol;
  readonly type: 'ClusterIP' | 'LocalRedirect';
  /** The service that owns the address; for an address matcher the policy's pseudo-service `ns/name:local-redirect`. */
  readonly service: ObjectKey;
  readonly portName?: string;
  /**
   * Of a `LocalRedirect`: at least one backend, all on this node (design invariant 1; R4).
   * Of a `ClusterIP`: the ready endpoints of the whole cluster.
   */
  readonly backends: readonly Backend[];
  /**
   * `namespace/name` of the policy that redirects this frontend. In `PolicyState.frontends`, of a `ClusterIP`: the policy that
   * would, had it a pod of this node that serves it; nobody else may meanwhile.
   */
  readonly policy?: ObjectKey;
}

/** The words `lrp list` prints (local-redirect-policy 1.3, 3.2). */
export type FrontendType =
  | 'clusterIP + all svc ports'
  | 'clusterIP + named ports'
  | 'clusterIP + port'
  | 'IP + port'
  | 'IP + named ports'
  | 'unknown';

export interface PolicyState {
  readonly policy: ObjectKey;
  readonly frontendType: FrontendType;
  /** The matched service, also while it does not exist; absent for address matchers. */
  readonly service?: ObjectKey;
  /**
   * `active`: at least one frontend is redirected. `waiting`: valid, but nothing to redirect (to) yet.
   * `conflict`: an older policy has all it asks for. `malformed`: treated as absent.
   */
  readonly state: 'active' | 'waiting' | 'conflict' | 'malformed';
  /**
   * Why, in words that name the port, label or address that did not match; empty only when active. An active policy
   * names here the frontends it matches and yet leaves alone.
   */
  readonly reason: string;
  /** Of `malformed` and of a refused address: the stable code from `errors.ts`. */
  readonly code?: string;
  /** metadata.uid of the policy object. */
  readonly uid?: string;
  /**
   * Every frontend the policy matches, redirected or not; those that are not have no backends here and are of type
   * `ClusterIP` even for an address matcher, so that no `LocalRedirect` without backends exists anywhere.
   */
  readonly frontends: readonly Frontend[];
  readonly skipRedirectFromBackend: boolean;
}

/**
 * What a snapshot comes to. In a table that follows another one from the same deriver, whatever did not change is the same
 * object, so `===` tells a reader what it may skip: rows, their backends, and the whole lists.
 */
export interface ServiceTable {
  /** The generation of the snapshot this was derived from. */
  readonly generation: number;
  /**
   * Every `LocalRedirect` frontend of all policies, ordered by address, port and protocol: what the kernel is given. What
   * services serve beside them is `listFrontends`.
   */
  readonly redirects: readonly Frontend[];
  /** One per policy object, ordered by namespace and name. */
  readonly policies: readonly PolicyState[];
}
