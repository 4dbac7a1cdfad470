/**
 * What a flow says about one DNS query, as far as it is summed up: a query or an answer at its client, the same at the
 * interface of the pod that serves, or a loss. Everything else is nothing.
 */
import type { ObjectKey } from '../../../cluster/rows.ts';
import {
  type Endpoint,
  EVENT_TYPES,
  endpointPod,
  type Flow,
  flowPorts,
  type GetFlowsResponse,
  isKernelAnswered,
  TRACE_POINTS,
} from '../../../flow/api.ts';
import { parseTime } from '../../../flow/time.ts';
import { flowTraceId } from '../../../flow/trace-id.ts';
import { tagOf } from '../../probe/tagged-query.ts';

export type DnsEvent = AskedEvent | AnsweredEvent | ServedEvent | LostEvent;

interface Placed {
  readonly node: string;
  /** Milliseconds since the epoch, with fractions. */
  readonly atMs: number;
}

/** `CLIENT:PORT/ID`, or the same without it where the server of the flows makes none. */
interface OfQuery extends Placed {
  readonly traceId: string;
}

interface Message extends OfQuery {
  readonly pod: ObjectKey;
  readonly client: string;
  readonly clientPort: number;
  readonly udp: boolean;
  /** In lower case, with the trailing dot. */
  readonly name: string;
  readonly qtype: string;
}

export interface AskedEvent extends Message {
  readonly kind: 'asked';
  readonly server: string;
  /** The address belongs to a service: who will get it is not decided yet. Not where the kernel has answered already. */
  readonly toService: boolean;
  /** The address belongs to nobody of the cluster. */
  readonly toWorld: boolean;
}

export interface AnsweredEvent extends Message {
  readonly kind: 'answered';
  readonly rcode: number;
  readonly latencyMs?: number;
  readonly truncated: boolean;
  /** Only of a truncated answer. */
  readonly withoutEdns: boolean;
}

/** `got`: a query came to a pod's interface. `gave`: its answer left there. */
export interface ServedEvent extends OfQuery {
  readonly kind: 'got' | 'gave';
}

export interface LostEvent extends Placed {
  readonly kind: 'lost';
  readonly count: number;
}

/** What `dnsSummary` (flow/summary.ts) writes of an answer with the TC bit; Hubble's records have no field for it. */
const TRUNCATED = /^DNS Answer truncated (with|without) EDNS /;
/** reserved:world (spec hubble 3.1). */
const WORLD = 2;

export function dnsEvent({
  flow,
  lost_events: lost,
  node_name,
  time,
}: GetFlowsResponse): DnsEvent | undefined {
  if (lost !== undefined) {
    const count = Number(lost.num_events_lost);
    return { kind: 'lost', node: node_name, atMs: msOf(time), count: Number.isFinite(count) ? count : 0 };
  }
  if (flow === undefined) return undefined;
  return flow.l7?.dns === undefined ? servedEvent(flow) : messageEvent(flow);
}

/** Only what is told at a client that is a pod, and not what a doctor asked itself. */
function messageEvent(flow: Flow): DnsEvent | undefined {
  const { l7, IP, traffic_direction } = flow;
  if (l7?.dns === undefined || traffic_direction === 'INGRESS' || tagOf(l7.dns.query) !== undefined)
    return undefined;
  const isAnswer = l7.type === 'RESPONSE';
  const pod = endpointPod(isAnswer ? flow.destination : flow.source);
  if (pod === undefined) return undefined;
  const { source_port = 0, destination_port = 0 } = flowPorts(flow);
  const message = {
    node: flow.node_name,
    atMs: msOf(flow.time),
    pod,
    client: isAnswer ? IP.destination : IP.source,
    clientPort: isAnswer ? destination_port : source_port,
    udp: flow.l4.UDP !== undefined,
    name: l7.dns.query.toLowerCase(),
    qtype: l7.dns.qtypes.join(','),
  };
  const traceId =
    flowTraceId(flow) ?? `${message.client}:${message.clientPort}/${message.name} ${message.qtype}`;
  if (!isAnswer) return { ...message, kind: 'asked', traceId, ...addresseeOf(flow) };
  const truncated = TRUNCATED.exec(flow.Summary);
  return {
    ...message,
    kind: 'answered',
    traceId,
    rcode: l7.dns.rcode ?? 0,
    ...(l7.latency_ns === undefined ? {} : { latencyMs: Number(l7.latency_ns) / 1e6 }),
    truncated: truncated !== null,
    withoutEdns: truncated?.[1] === 'without',
  };
}

function addresseeOf(flow: Flow): Pick<AskedEvent, 'server' | 'toService' | 'toWorld'> {
  const { IP, destination, destination_service: service } = flow;
  const isOpen = !isKernelAnswered(flow) && destination.pod_name === undefined;
  return {
    server: IP.destination,
    toService: service !== undefined && isOpen,
    toWorld: isWorld(destination),
  };
}

function servedEvent(flow: Flow): ServedEvent | undefined {
  const traceId = flowTraceId(flow);
  if (traceId === undefined || flow.event_type.type !== EVENT_TYPES.trace) return undefined;
  const point = TRACE_POINTS[flow.event_type.sub_type ?? 0];
  const at = { traceId, node: flow.node_name, atMs: msOf(flow.time) };
  if (point === 'to-endpoint' && flow.is_reply === false) return { kind: 'got', ...at };
  return point === 'from-endpoint' && flow.is_reply === true ? { kind: 'gave', ...at } : undefined;
}

function isWorld({ identity, labels }: Endpoint): boolean {
  return identity === WORLD || labels?.includes('reserved:world') === true;
}

/** 0 for a time that is none: it is outside of every window. */
function msOf(time: string): number {
  const ns = parseTime(time);
  return ns === undefined ? 0 : Number(ns) / 1e6;
}
