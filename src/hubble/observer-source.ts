/**
 * Who can answer the observer's questions: a node about its own flows, a relay about those of many. What Hubble's API says in
 * its messages stands here in the values of `flow/api.ts`; the server turns the one into the other.
 */
import type { GetFlowsRequest, GetFlowsResponse, NodeState } from '../flow/api.ts';
import type { EventsWindow, NodeEventResponse } from './event-messages.ts';

export interface ObserverSource {
  /**
   * Throws `AppError` for a request that cannot be served, before the first response. Ends with the signal. `client` tells
   * those who ask apart, so that what one of them costs can be held against that one alone.
   */
  flows(request: GetFlowsRequest, signal: AbortSignal, client?: string): AsyncIterable<GetFlowsResponse>;
  status(): Promise<ObserverStatus>;
  nodes(): Promise<readonly ObservedNode[]>;
  /** Of flows of the last hour. */
  namespaces(): Promise<readonly ObservedNamespace[]>;
  /** What the agent did; absent: there is no agent of whom to tell it, as in a relay. As `flows` otherwise. */
  agentEvents?(request: EventsWindow, signal: AbortSignal): AsyncIterable<NodeEventResponse>;
}

export interface ObserverStatus {
  /** Flows that are here, that there is room for, and that there have ever been. */
  readonly numFlows: number;
  readonly maxFlows: number;
  readonly seenFlows: number;
  readonly uptimeNs: bigint;
  readonly version: string;
  /** A second, over the last minute. */
  readonly flowsRate: number;
  /** A relay's alone. */
  readonly connectedNodes?: number;
  readonly unavailableNodes?: readonly string[];
}

export interface ObservedNode {
  readonly name: string;
  readonly version: string;
  readonly address: string;
  readonly state: NodeState;
  readonly tls?: { readonly enabled: boolean; readonly serverName: string };
  readonly uptimeNs: bigint;
  readonly numFlows: number;
  readonly maxFlows: number;
  readonly seenFlows: number;
}

export interface ObservedNamespace {
  readonly cluster: string;
  readonly namespace: string;
}

/** peer.ChangeNotification. */
export interface PeerChange {
  readonly name: string;
  readonly address: string;
  readonly type: 'PEER_ADDED' | 'PEER_DELETED' | 'PEER_UPDATED';
  /** The name in its certificate; absent: without TLS. */
  readonly tlsServerName?: string;
}

/** All peers there are, then every change, until the signal. */
export type PeerSource = (signal: AbortSignal) => AsyncIterable<PeerChange>;
