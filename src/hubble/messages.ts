/**
 * What an observer says, between the values of `flow/api.ts` and `observer-source.ts` and messages of the wire. Both have
 * the same names, words and texts of 64-bit numbers; times, and values whose absence says something, differ. Fields that
 * another Hubble sent and `flow/api.ts` does not name are handed on as they are.
 */
import type { Flow, GetFlowsResponse, LostEvents, NodeStatusEvent } from '../flow/api.ts';
import type { WireMessage } from './grpc.ts';
import type { ObservedNamespace, ObservedNode, ObserverStatus, PeerChange } from './observer-source.ts';
import { fromWireTime, toWireTime, type WireTime } from './wire-time.ts';

interface Wrapped<T> {
  readonly value?: T;
}

export function toWireResponse(response: GetFlowsResponse): WireMessage {
  const { flow, lost_events: lost, time, ...rest } = response;
  return {
    ...rest,
    time: toWireTime(time),
    ...(flow === undefined ? {} : { flow: toWireFlow(flow) }),
    ...(lost === undefined ? {} : { lost_events: toWireLost(lost) }),
  };
}

function toWireLost({ first, last, ...lost }: LostEvents): WireMessage {
  return {
    ...lost,
    ...wrapped('cpu', lost.cpu),
    ...(first === undefined ? {} : { first: toWireTime(first) }),
    ...(last === undefined ? {} : { last: toWireTime(last) }),
  };
}

function toWireFlow(flow: Flow): WireMessage {
  return { ...flow, time: toWireTime(flow.time), ...wrapped('is_reply', flow.is_reply) };
}

function wrapped(field: string, value: unknown): WireMessage {
  return value === undefined ? {} : { [field]: { value } };
}

/** Proto3 leaves out what is empty, so that all of it may be missing. */
interface WireResponse {
  readonly flow?: WireFlow;
  readonly lost_events?: Omit<Partial<LostEvents>, 'cpu' | 'first' | 'last'> & {
    readonly cpu?: Wrapped<number>;
    readonly first?: WireTime;
    readonly last?: WireTime;
  };
  readonly node_status?: Partial<NodeStatusEvent>;
  readonly node_name?: string;
  readonly time?: WireTime;
}

type WireFlow = Omit<Partial<Flow>, 'time' | 'is_reply' | 'l4' | 'l7' | 'IP'> & {
  readonly time?: WireTime;
  readonly is_reply?: Wrapped<boolean>;
  readonly IP?: Partial<Flow['IP']>;
  readonly l4?: Flow['l4'] & { readonly protocol?: string };
  readonly l7?: Partial<NonNullable<Flow['l7']>> & { readonly record?: string };
};

const EPOCH = '1970-01-01T00:00:00Z';

/** What is not set gets the value that proto3 says it has. Undefined for a kind of response that is none of ours. */
export function fromWireResponse(wire: object): GetFlowsResponse | undefined {
  const { flow, lost_events: lost, node_status: status } = wire as WireResponse;
  const { time, node_name = '' } = wire as WireResponse;
  const head = { node_name, time: timeOf(time) };
  if (flow !== undefined) return { ...head, flow: fromWireFlow(flow) };
  if (lost !== undefined) return { ...head, lost_events: fromWireLost(lost) };
  return status === undefined ? undefined : { ...head, node_status: fromWireNodeStatus(status) };
}

function fromWireNodeStatus({
  state_change,
  node_names,
  message,
}: Partial<NodeStatusEvent>): NodeStatusEvent {
  return {
    state_change: wordOf(state_change) ?? 'UNKNOWN_NODE_STATE',
    node_names: node_names ?? [],
    ...(message === undefined ? {} : { message }),
  };
}

function timeOf(time: WireTime | undefined): string {
  return (time && fromWireTime(time)) ?? EPOCH;
}

function fromWireLost(wire: NonNullable<WireResponse['lost_events']>): LostEvents {
  const { source, num_events_lost = '0', cpu, first, last } = wire;
  return {
    source: wordOf(source) ?? 'HUBBLE_RING_BUFFER',
    num_events_lost,
    ...(cpu === undefined ? {} : { cpu: cpu.value ?? 0 }),
    ...(first === undefined ? {} : { first: timeOf(first) }),
    ...(last === undefined ? {} : { last: timeOf(last) }),
  };
}

/** An enum's number without a word in `proto/` is what proto3 calls its zero. */
function wordOf<Word extends string>(value: Word | undefined): Word | undefined {
  return typeof value === 'string' ? value : undefined;
}

function fromWireFlow(wire: WireFlow): Flow {
  const { is_reply: isReply, l4, l7, IP, ...rest } = wire;
  const { protocol: _, ...layer4 } = l4 ?? {};
  return {
    ...rest,
    time: timeOf(wire.time),
    uuid: wire.uuid ?? '',
    verdict: wordOf(wire.verdict) ?? 'VERDICT_UNKNOWN',
    IP: { source: '', destination: '', ipVersion: 'IPv4', ...IP },
    l4: layer4,
    source: wire.source ?? {},
    destination: wire.destination ?? {},
    Type: wordOf(wire.Type) ?? 'L3_L4',
    node_name: wire.node_name ?? '',
    event_type: wire.event_type ?? {},
    Summary: wire.Summary ?? '',
    ...(l7 === undefined ? {} : { l7: fromWireLayer7(l7) }),
    ...(isReply === undefined ? {} : { is_reply: isReply.value ?? false }),
  };
}

function fromWireLayer7(wire: NonNullable<WireFlow['l7']>): NonNullable<Flow['l7']> {
  const { record: _, dns, ...rest } = wire;
  return {
    ...rest,
    type: wordOf(wire.type) ?? 'SAMPLE',
    ...(dns === undefined ? {} : { dns: { ...dns, query: dns.query ?? '', qtypes: dns.qtypes ?? [] } }),
  };
}

export function toWireStatus(status: ObserverStatus): WireMessage {
  return {
    ...counts(status),
    version: status.version,
    flows_rate: status.flowsRate,
    ...wrapped('num_connected_nodes', status.connectedNodes),
    ...wrapped('num_unavailable_nodes', status.unavailableNodes?.length),
    unavailable_nodes: status.unavailableNodes ?? [],
  };
}

type Counts = Pick<ObserverStatus, 'numFlows' | 'maxFlows' | 'seenFlows' | 'uptimeNs'>;

function counts(from: Counts): WireMessage {
  return {
    num_flows: String(from.numFlows),
    max_flows: String(from.maxFlows),
    seen_flows: String(from.seenFlows),
    uptime_ns: String(from.uptimeNs),
  };
}

interface WireCounts {
  readonly num_flows?: string;
  readonly max_flows?: string;
  readonly seen_flows?: string;
  readonly uptime_ns?: string;
}

function fromCounts(wire: WireCounts): Counts {
  return {
    numFlows: Number(wire.num_flows ?? 0),
    maxFlows: Number(wire.max_flows ?? 0),
    seenFlows: Number(wire.seen_flows ?? 0),
    uptimeNs: BigInt(wire.uptime_ns ?? 0),
  };
}

interface WireStatus extends WireCounts {
  readonly num_connected_nodes?: Wrapped<number>;
  readonly num_unavailable_nodes?: Wrapped<number>;
  readonly unavailable_nodes?: readonly string[];
  readonly version?: string;
  readonly flows_rate?: number;
}

export function fromWireStatus(wire: object): ObserverStatus {
  const status: WireStatus = wire;
  const { num_connected_nodes: connected, num_unavailable_nodes: unavailable } = status;
  return {
    ...fromCounts(status),
    version: status.version ?? '',
    flowsRate: status.flows_rate ?? 0,
    ...(connected === undefined ? {} : { connectedNodes: connected.value ?? 0 }),
    ...(unavailable === undefined ? {} : { unavailableNodes: status.unavailable_nodes ?? [] }),
  };
}

export function toWireNodes(nodes: readonly ObservedNode[]): WireMessage {
  return {
    nodes: nodes.map((node) => ({
      ...counts(node),
      ...{ name: node.name, version: node.version, address: node.address, state: node.state },
      ...(node.tls && { tls: { enabled: node.tls.enabled, server_name: node.tls.serverName } }),
    })),
  };
}

interface WireNode extends WireCounts {
  readonly name?: string;
  readonly version?: string;
  readonly address?: string;
  readonly state?: ObservedNode['state'];
  readonly tls?: { readonly enabled?: boolean; readonly server_name?: string };
}

export function fromWireNodes(wire: object): readonly ObservedNode[] {
  const { nodes = [] } = wire as { readonly nodes?: readonly WireNode[] };
  return nodes.map((node) => ({
    ...fromCounts(node),
    ...{ name: node.name ?? '', version: node.version ?? '', address: node.address ?? '' },
    state: wordOf(node.state) ?? 'UNKNOWN_NODE_STATE',
    ...(node.tls && { tls: { enabled: node.tls.enabled ?? false, serverName: node.tls.server_name ?? '' } }),
  }));
}

export function fromWireNamespaces(wire: object): readonly ObservedNamespace[] {
  const { namespaces = [] } = wire as { readonly namespaces?: readonly Partial<ObservedNamespace>[] };
  return namespaces.map(({ cluster = '', namespace = '' }) => ({ cluster, namespace }));
}

export function toWirePeer({ tlsServerName: serverName, ...change }: PeerChange): WireMessage {
  return { ...change, ...(serverName === undefined ? {} : { tls: { server_name: serverName } }) };
}

/** Undefined for a kind of change that does not exist. */
export function fromWirePeer(wire: object): PeerChange | undefined {
  const {
    name = '',
    address = '',
    type,
    tls,
  } = wire as Partial<PeerChange> & { readonly tls?: { readonly server_name?: string } };
  if (type !== 'PEER_ADDED' && type !== 'PEER_DELETED' && type !== 'PEER_UPDATED') return undefined;
  return { name, address, type, ...(tls && { tlsServerName: tls.server_name ?? '' }) };
}
