/**
 * The observer API's values: Hubble's flow.Flow, observer.GetFlowsRequest and observer.GetFlowsResponse in protobuf's JSON
 * mapping (spec hubble 6.2, 6.3). Field names are the proto's own, enums are words, 64-bit integers are strings, zero
 * values are left out. This is what `-o json` prints, what the agent's socket carries and what a gRPC server will serve.
 * Deliberately absent: `extensions`, which breaks the stock CLI's JSON output (spec hubble 3.4), and any number of ours.
 */
import type { ObjectKey } from '../cluster/rows.ts';

/** FORWARDED, DROPPED, TRACED and TRANSLATED are what we say ourselves; the rest is understood when filtering and printing. */
export const VERDICTS = [
  'VERDICT_UNKNOWN',
  'FORWARDED',
  'DROPPED',
  'ERROR',
  'AUDIT',
  'REDIRECTED',
  'TRACED',
  'TRANSLATED',
] as const;
export type Verdict = (typeof VERDICTS)[number];

/** event_type.type (spec hubble 4.1). */
export const EVENT_TYPES = { drop: 1, capture: 3, trace: 4, policyVerdict: 5, sock: 7, l7: 129 } as const;

/** event_type.sub_type of a trace event (spec hubble 4.2), index is the number. */
export const TRACE_POINTS = [
  'to-endpoint',
  'to-proxy',
  'to-host',
  'to-stack',
  'to-overlay',
  'from-endpoint',
  'from-proxy',
  'from-host',
  'from-stack',
  'from-overlay',
  'from-network',
  'to-network',
  'from-crypto',
  'to-crypto',
] as const;

/** The words of sock_xlate_point, index is the number and the sub_type of a trace-sock event. */
export const XLATE_POINTS = [
  'SOCK_XLATE_POINT_UNKNOWN',
  'SOCK_XLATE_POINT_PRE_DIRECTION_FWD',
  'SOCK_XLATE_POINT_POST_DIRECTION_FWD',
  'SOCK_XLATE_POINT_PRE_DIRECTION_REV',
  'SOCK_XLATE_POINT_POST_DIRECTION_REV',
] as const;
export type XlatePoint = (typeof XLATE_POINTS)[number];

export const TCP_FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'] as const;
/** Index is the bit in the TCP header's flag byte (RFC 9293 section 3.1). */
export type TcpFlag = (typeof TCP_FLAGS)[number];

export interface Ports {
  readonly source_port?: number;
  readonly destination_port?: number;
}

/** `NS` (RFC 3540) is a flag of the API alone: no packet of ours has it. */
export type TcpFlagSet = { readonly [F in TcpFlag | 'NS']?: boolean };

export interface Layer4 {
  readonly UDP?: Ports;
  readonly TCP?: Ports & { readonly flags?: TcpFlagSet };
}

export interface Workload {
  readonly name: string;
  readonly kind: string;
}

export interface Endpoint {
  readonly ID?: number;
  /** Reserved numbers below 256, pods from 256 (spec hubble 3.1); absent is 0, unknown. */
  readonly identity?: number;
  readonly namespace?: string;
  /** `k8s:key=value` or `reserved:word`, sorted. */
  readonly labels?: readonly string[];
  readonly pod_name?: string;
  readonly workloads?: readonly Workload[];
  readonly cluster_name?: string;
}

export interface ServiceRef {
  readonly name: string;
  readonly namespace: string;
}

/**
 * The word in `dns-request WORD`, where Hubble's own is that of a proxy. `seen`: a tc program told of a message that passed.
 * `answered`: the program was the server, of the query and of the answer.
 */
export const OBSERVATION_SOURCES = { seen: 'tc', answered: 'kernel' } as const;

/** Field 100 of flow.Layer7 (spec hubble 5). */
export interface DnsRecord {
  /** With the trailing dot. */
  readonly query: string;
  readonly ips?: readonly string[];
  /** Seconds, the lowest of the answers; 4294967295 when a response has none. */
  readonly ttl?: number;
  readonly cnames?: readonly string[];
  /** Ours: see `OBSERVATION_SOURCES`. */
  readonly observation_source?: string;
  readonly rcode?: number;
  readonly qtypes: readonly string[];
  readonly rrtypes?: readonly string[];
}

export interface Layer7 {
  readonly type: 'REQUEST' | 'RESPONSE' | 'SAMPLE';
  /** Nanoseconds from the query to its answer, both seen at the same interface; decimal text. */
  readonly latency_ns?: string;
  readonly dns?: DnsRecord;
}

/** A policy that decided; only servers with policies of their own say it. */
export interface PolicyRef {
  readonly name: string;
  readonly namespace?: string;
  readonly kind?: string;
}

export interface EventType {
  readonly type?: number;
  readonly sub_type?: number;
}

export interface Flow {
  /** RFC 3339 in UTC with 0, 3, 6 or 9 fraction digits. */
  readonly time: string;
  readonly uuid: string;
  readonly verdict: Verdict;
  /** Word of the drop reason; set on drops only, which we never cause ourselves. */
  readonly drop_reason_desc?: string;
  readonly IP: {
    readonly source: string;
    readonly destination: string;
    readonly ipVersion: 'IPv4' | 'IPv6';
    readonly encrypted?: boolean;
    readonly source_xlated?: string;
  };
  readonly ethernet?: { readonly source: string; readonly destination: string };
  readonly l4: Layer4;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly Type: 'L3_L4' | 'L7' | 'SOCK';
  readonly node_name: string;
  /** `key=value`, sorted. */
  readonly node_labels?: readonly string[];
  readonly source_names?: readonly string[];
  readonly destination_names?: readonly string[];
  readonly l7?: Layer7;
  /** The old bool; kept in step with `is_reply`. */
  readonly reply?: true;
  readonly event_type: EventType;
  readonly source_service?: ServiceRef;
  readonly destination_service?: ServiceRef;
  readonly traffic_direction?: 'INGRESS' | 'EGRESS';
  /** Of a policy verdict, with the lists of policies below: understood when printing, never said by us. */
  readonly policy_match_type?: number;
  readonly egress_allowed_by?: readonly PolicyRef[];
  readonly ingress_allowed_by?: readonly PolicyRef[];
  readonly egress_denied_by?: readonly PolicyRef[];
  readonly ingress_denied_by?: readonly PolicyRef[];
  readonly trace_observation_point?: 'FROM_ENDPOINT' | 'TO_ENDPOINT' | 'TO_HOST' | 'TO_STACK' | 'FROM_STACK';
  readonly is_reply?: boolean;
  readonly interface?: { readonly index: number; readonly name?: string };
  /**
   * Of a packet that carries a DNS message: `CLIENT:PORT/ID`, the same on every node the query and its answer pass, so
   * that one `--trace-id` shows one query's whole way. Made by `formatTraceId`.
   */
  readonly trace_context?: { readonly parent: { readonly trace_id: string } };
  readonly sock_xlate_point?: XlatePoint;
  readonly emitter?: { readonly name: string; readonly version: string };
  readonly Summary: string;
}

export interface LostEvents {
  readonly source: 'PERF_EVENT_RING_BUFFER' | 'OBSERVER_EVENTS_QUEUE' | 'HUBBLE_RING_BUFFER';
  /** Decimal text. */
  readonly num_events_lost: string;
  readonly cpu?: number;
  /** RFC 3339. */
  readonly first?: string;
  readonly last?: string;
}

/** Words of relay.NodeState. */
export type NodeState =
  | 'UNKNOWN_NODE_STATE'
  | 'NODE_CONNECTED'
  | 'NODE_UNAVAILABLE'
  | 'NODE_GONE'
  | 'NODE_ERROR';

/** relay.NodeStatusEvent: what a relay says about the nodes behind it. */
export interface NodeStatusEvent {
  readonly state_change: NodeState;
  readonly node_names: readonly string[];
  readonly message?: string;
}

/** Exactly one of `flow`, `lost_events` and `node_status`. */
export interface GetFlowsResponse {
  readonly flow?: Flow;
  readonly lost_events?: LostEvents;
  readonly node_status?: NodeStatusEvent;
  readonly node_name: string;
  readonly time: string;
}

export interface EventTypeFilter {
  readonly type?: number;
  readonly match_sub_type?: boolean;
  readonly sub_type?: number;
}

/** flow.FlowFilter. What a server cannot match it refuses by name (spec hubble 13 rule 6). */
export interface FlowFilter {
  readonly source_ip?: readonly string[];
  readonly source_pod?: readonly string[];
  readonly destination_ip?: readonly string[];
  readonly destination_pod?: readonly string[];
  readonly verdict?: readonly string[];
  readonly event_type?: readonly EventTypeFilter[];
  /** `*` is any text; on source_names, not on what was asked. */
  readonly source_fqdn?: readonly string[];
  readonly destination_fqdn?: readonly string[];
  readonly http_status_code?: readonly string[];
  readonly source_label?: readonly string[];
  readonly destination_label?: readonly string[];
  readonly protocol?: readonly string[];
  /** Decimal text, as in the proto. */
  readonly source_port?: readonly string[];
  readonly destination_port?: readonly string[];
  readonly reply?: readonly boolean[];
  readonly source_service?: readonly string[];
  readonly destination_service?: readonly string[];
  /** RE2, not anchored, on the name with its trailing dot. */
  readonly dns_query?: readonly string[];
  readonly source_identity?: readonly number[];
  readonly destination_identity?: readonly number[];
  readonly http_method?: readonly string[];
  readonly http_path?: readonly string[];
  /** A value matches packets that have all its flags. */
  readonly tcp_flags?: readonly TcpFlagSet[];
  readonly node_name?: readonly string[];
  readonly ip_version?: readonly string[];
  readonly source_workload?: readonly Partial<Workload>[];
  readonly destination_workload?: readonly Partial<Workload>[];
  readonly trace_id?: readonly string[];
  readonly uuid?: readonly string[];
  readonly traffic_direction?: readonly string[];
  readonly http_url?: readonly string[];
  readonly http_header?: readonly { readonly key?: string; readonly value?: string }[];
  readonly drop_reason_desc?: readonly string[];
  readonly source_ip_xlated?: readonly string[];
  readonly interface?: readonly { readonly index?: number; readonly name?: string }[];
  readonly node_labels?: readonly string[];
  readonly source_cluster_name?: readonly string[];
  readonly destination_cluster_name?: readonly string[];
  readonly ip_trace_id?: readonly (string | number)[];
  readonly encrypted?: readonly boolean[];
  readonly experimental?: { readonly cel_expression?: readonly string[] };
}

/**
 * Conditions of our own that FlowFilter has no words for. Every one that is set must hold, whatever the filters say. It goes
 * in GetFlowsRequest's `extensions` to servers of ours; to others it does not go at all and is applied to what comes back.
 */
export interface FlowNarrow {
  /** Answers with any of these codes; 0 is one, too. */
  readonly rcode?: readonly number[];
  /** Answers that took at least so long. */
  readonly slow_ms?: number;
  /** Queries of pods that did not enter a cache on their own node; only the node's own server knows its caches. */
  readonly bypassed?: true;
  /** What was asked in one part in so many (2 to 1000) of each second, with all that is about it: see `sample.ts`. */
  readonly one_in?: number;
  /** Queries that the kernel answered by itself, and its answers. */
  readonly kernel_answered?: true;
}

export interface GetFlowsRequest {
  /** Newest N that match, given oldest first; decimal text or number. */
  readonly number?: string | number;
  readonly first?: boolean;
  readonly follow?: boolean;
  /** RFC 3339; both bounds inclusive. */
  readonly since?: string;
  readonly until?: string;
  readonly whitelist?: readonly FlowFilter[];
  readonly blacklist?: readonly FlowFilter[];
  /** Paths of fields of Flow in the proto's names. */
  readonly field_mask?: { readonly paths: readonly string[] };
  readonly narrow?: FlowNarrow;
}

/** `namespace/name` of the pod at this end, if it is one. */
export function endpointPod(endpoint: Endpoint): ObjectKey | undefined {
  return endpoint.pod_name === undefined ? undefined : `${endpoint.namespace ?? ''}/${endpoint.pod_name}`;
}

/** Whether this is a query that the kernel's program answered by itself, or the answer that it gave. */
export function isKernelAnswered({ l7 }: Pick<Flow, 'l7'>): boolean {
  return l7?.dns?.observation_source === OBSERVATION_SOURCES.answered;
}

export function flowPorts(flow: Flow): Ports {
  return flow.l4.UDP ?? flow.l4.TCP ?? {};
}
