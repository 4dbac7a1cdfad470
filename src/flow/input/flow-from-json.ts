/**
 * One answer of an observer as JSON, made by whatever program, into ours: what has another shape than the API says is left
 * out, what the API always has is filled in, so that whoever filters or prints meets no surprise.
 */
import type { Endpoint, Flow, GetFlowsResponse, LostEvents, NodeStatusEvent, ServiceRef } from '../api.ts';

type Json = Readonly<Record<string, unknown>>;
type Shape = 'text' | 'number' | 'boolean' | 'texts' | { readonly [field: string]: Shape } | readonly [Shape];

const WORKLOAD: Shape = { name: 'text', kind: 'text' };
const ENDPOINT: Shape = {
  ...{ ID: 'number', identity: 'number', namespace: 'text', labels: 'texts', pod_name: 'text' },
  ...{ workloads: [WORKLOAD], cluster_name: 'text' },
};
const SERVICE: Shape = { name: 'text', namespace: 'text' };
const POLICIES: Shape = [{ name: 'text', namespace: 'text', kind: 'text' }];
const FLAGS = Object.fromEntries(
  ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR', 'NS'].map((flag) => [flag, 'boolean' as const]),
);
const PORTS = { source_port: 'number', destination_port: 'number' } as const;

const FLOW: { readonly [F in keyof Flow]-?: Shape } = {
  ...{ time: 'text', uuid: 'text', verdict: 'text', drop_reason_desc: 'text', Type: 'text', Summary: 'text' },
  IP: { source: 'text', destination: 'text', ipVersion: 'text', encrypted: 'boolean', source_xlated: 'text' },
  ethernet: { source: 'text', destination: 'text' },
  l4: { UDP: PORTS, TCP: { ...PORTS, flags: FLAGS } },
  ...{ source: ENDPOINT, destination: ENDPOINT, source_service: SERVICE, destination_service: SERVICE },
  ...{ node_name: 'text', node_labels: 'texts', source_names: 'texts', destination_names: 'texts' },
  l7: {
    ...{ type: 'text', latency_ns: 'text' },
    dns: {
      ...{ query: 'text', ips: 'texts', ttl: 'number', cnames: 'texts', observation_source: 'text' },
      ...{ rcode: 'number', qtypes: 'texts', rrtypes: 'texts' },
    },
  },
  ...{ reply: 'boolean', is_reply: 'boolean', event_type: { type: 'number', sub_type: 'number' } },
  ...{ traffic_direction: 'text', trace_observation_point: 'text', sock_xlate_point: 'text' },
  ...{ policy_match_type: 'number', egress_allowed_by: POLICIES, ingress_allowed_by: POLICIES },
  ...{ egress_denied_by: POLICIES, ingress_denied_by: POLICIES },
  interface: { index: 'number', name: 'text' },
  trace_context: { parent: { trace_id: 'text' } },
  emitter: { name: 'text', version: 'text' },
};
const LOST = { source: 'text', num_events_lost: 'text', cpu: 'number', first: 'text', last: 'text' } as const;
const STATUS = { state_change: 'text', node_names: 'texts', message: 'text' } as const;

export interface ReadAnswer {
  readonly response: GetFlowsResponse;
  /** The first field that was left out, as a path. */
  readonly leftOut: string | undefined;
}

/** Undefined for what is no answer: neither a GetFlowsResponse nor, as old clients wrote it, a bare flow. */
export function answerFromJson(value: unknown): ReadAnswer | undefined {
  if (!isObject(value)) return undefined;
  const left: string[] = [];
  const { flow, lost_events: lost, node_status: status, node_name: node, time, ...rest } = value;
  const head = { node_name: textOf(node), time: textOf(time) };
  if (isObject(flow)) {
    left.push(...Object.keys(rest));
    return { response: { ...head, flow: toFlow(flow, left) }, leftOut: left[0] };
  }
  if (isObject(lost)) {
    const events = {
      source: 'UNKNOWN_LOST_EVENT_SOURCE',
      num_events_lost: '0',
      ...shaped(lost, LOST, 'lost_events', left),
    };
    return { response: { ...head, lost_events: events as unknown as LostEvents }, leftOut: left[0] };
  }
  if (isObject(status)) {
    const event = {
      state_change: 'UNKNOWN_NODE_STATE',
      node_names: [],
      ...shaped(status, STATUS, 'node_status', left),
    };
    return { response: { ...head, node_status: event as unknown as NodeStatusEvent }, leftOut: left[0] };
  }
  if (!('verdict' in value || 'IP' in value)) return undefined;
  return { response: { ...head, flow: toFlow(value, left) }, leftOut: left[0] };
}

/** The fields that the API's readers may rely on. */
function toFlow(json: Json, left: string[]): Flow {
  const flow: Partial<Flow> = shaped(json, FLOW, 'flow', left);
  const { l7, source_service: from, destination_service: to, trace_context: trace, ...rest } = flow;
  const dns =
    l7?.dns === undefined
      ? {}
      : { dns: { ...l7.dns, query: l7.dns.query ?? '', qtypes: l7.dns.qtypes ?? [] } };
  return {
    ...{ time: '', uuid: '', verdict: 'VERDICT_UNKNOWN', Type: 'L3_L4', node_name: '', Summary: '' },
    ...rest,
    IP: { source: '', destination: '', ipVersion: 'IPv4', ...flow.IP },
    l4: flow.l4 ?? {},
    source: flow.source ?? ({} satisfies Endpoint),
    destination: flow.destination ?? ({} satisfies Endpoint),
    event_type: flow.event_type ?? {},
    ...(l7 === undefined ? {} : { l7: { ...l7, type: l7.type ?? 'SAMPLE', ...dns } }),
    ...(trace?.parent?.trace_id === undefined ? {} : { trace_context: trace }),
    ...(from === undefined ? {} : { source_service: toService(from) }),
    ...(to === undefined ? {} : { destination_service: toService(to) }),
  } as Flow;
}

function toService({ name, namespace }: Partial<ServiceRef>): ServiceRef {
  return { name: name ?? '', namespace: namespace ?? '' };
}

function shaped(json: Json, shape: object, path: string, left: string[]): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(json)) {
    const wanted: Shape | undefined = Object.hasOwn(shape, field) ? Reflect.get(shape, field) : undefined;
    const taken = wanted === undefined ? undefined : takenAs(value, wanted, `${path}.${field}`, left);
    if (taken === undefined) left.push(`${path}.${field}`);
    else found[field] = taken;
  }
  return found;
}

function takenAs(value: unknown, shape: Shape, path: string, left: string[]): unknown {
  if (shape === 'text') return typeof value === 'string' ? value : undefined;
  if (shape === 'number' || shape === 'boolean') return typeof value === shape ? value : undefined;
  if (shape === 'texts') return isTexts(value) ? value : undefined;
  if (isList(shape)) {
    const [inner] = shape;
    return Array.isArray(value)
      ? value.map((one) => takenAs(one, inner, path, left)).filter(isObject)
      : undefined;
  }
  return isObject(value) ? shaped(value, shape, path, left) : undefined;
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
