/** Puts together one `flow.Flow` from a packet event and what is being said about it; fills every field of spec hubble 6.3. */
import type { PacketEvent } from '../datapath/datapath.ts';
import { type Ip, ipFamily } from '../net/ip.ts';
import {
  type DnsRecord,
  EVENT_TYPES,
  type Flow,
  type Layer4,
  TRACE_POINTS,
  type Verdict,
  XLATE_POINTS,
} from './api.ts';
import type { Enricher } from './enrich.ts';
import { tcpFlagWords } from './summary.ts';

export interface Peer {
  readonly address: Ip;
  readonly port: number;
}

interface Ends {
  readonly source: Peer;
  readonly destination: Peer;
  readonly summary: string;
}

/** A packet at a point. */
export interface TracePart extends Ends {
  readonly kind: 'trace';
  readonly point: 'from-endpoint' | 'to-endpoint' | 'to-host';
  /** Undefined: nobody knows. */
  readonly isReply: boolean | undefined;
  /** Zero: no interface. */
  readonly ifindex: number;
}

/** A translation, or the decision not to translate. */
export interface XlatePart extends Ends {
  readonly kind: 'xlate';
  readonly point: 'pre-fwd' | 'post-fwd' | 'post-rev';
}

/** A DNS message. */
export interface DnsPart extends Ends {
  readonly kind: 'dns';
  readonly isReply: boolean;
  readonly record: DnsRecord;
  readonly latencyNs: bigint | undefined;
  readonly direction: 'INGRESS' | 'EGRESS';
  readonly ifindex: number;
}

export type FlowPart = TracePart | XlatePart | DnsPart;

/** The packet that is being told about. */
export interface FlowSubject {
  readonly event: PacketEvent;
  /** RFC 3339, formatted once per packet because it costs more than the rest of a flow. */
  readonly time: string;
  readonly traceId: string | undefined;
}

export interface FlowBuilderOptions extends FlowSubject {
  readonly nodeName: string;
  readonly version: string;
  readonly enricher: Enricher;
  readonly newUuid: () => string;
  readonly interfaceName: (ifindex: number) => string | undefined;
}

export function buildFlow(part: FlowPart, options: FlowBuilderOptions): Flow {
  const source = options.enricher.lookup(part.source.address);
  const destination = options.enricher.lookup(part.destination.address);
  return {
    time: options.time,
    uuid: options.newUuid(),
    IP: {
      source: part.source.address,
      destination: part.destination.address,
      ipVersion: ipFamily(part.source.address) === 4 ? 'IPv4' : 'IPv6',
    },
    l4: layer4(part, options.event),
    source: source.endpoint,
    destination: destination.endpoint,
    node_name: options.nodeName,
    ...(source.service === undefined ? {} : { source_service: source.service }),
    ...(destination.service === undefined ? {} : { destination_service: destination.service }),
    ...(options.traceId === undefined ? {} : { trace_context: { parent: { trace_id: options.traceId } } }),
    emitter: { name: 'zerohop', version: options.version },
    ...kindFields(part, options),
    Summary: part.summary,
  };
}

function layer4({ source, destination, kind }: FlowPart, event: PacketEvent): Layer4 {
  const ports = { source_port: source.port, destination_port: destination.port };
  if (event.protocol === 'UDP') return { UDP: ports };
  if (kind === 'dns') return { TCP: ports };
  const flags = Object.fromEntries(tcpFlagWords(event.tcpFlags).map((word) => [word, true] as const));
  return { TCP: { ...ports, flags } };
}

type KindFields = Pick<Flow, 'verdict' | 'Type' | 'event_type'> & Partial<Flow>;

function kindFields(part: FlowPart, options: FlowBuilderOptions): KindFields {
  switch (part.kind) {
    case 'trace':
      return { ...traceFields(part), ...replyFields(part.isReply), ...interfaceField(part.ifindex, options) };
    case 'xlate':
      return xlateFields(part.point);
    case 'dns':
      return {
        verdict: 'FORWARDED',
        Type: 'L7',
        event_type: { type: EVENT_TYPES.l7 },
        traffic_direction: part.direction,
        l7: {
          type: part.isReply ? 'RESPONSE' : 'REQUEST',
          ...(part.latencyNs === undefined ? {} : { latency_ns: String(part.latencyNs) }),
          dns: part.record,
        },
        ...replyFields(part.isReply),
        ...interfaceField(part.ifindex, options),
      };
  }
}

function traceFields({ point, isReply }: TracePart): KindFields {
  const sub = TRACE_POINTS.indexOf(point);
  return {
    verdict: 'FORWARDED',
    Type: 'L3_L4',
    event_type: { type: EVENT_TYPES.trace, ...(sub === 0 ? {} : { sub_type: sub }) },
    trace_observation_point: OBSERVATION_POINTS[point],
    ...(isReply === undefined ? {} : { traffic_direction: direction(point, isReply) }),
  };
}

const OBSERVATION_POINTS = {
  'from-endpoint': 'FROM_ENDPOINT',
  'to-endpoint': 'TO_ENDPOINT',
  'to-host': 'TO_HOST',
} as const;

/** Of the connection as the endpoint at this point sees it: whoever asks has egress, whoever is asked has ingress. */
function direction(point: string, isReply: boolean): 'INGRESS' | 'EGRESS' {
  return (point === 'from-endpoint') === isReply ? 'INGRESS' : 'EGRESS';
}

const XLATE = {
  'pre-fwd': { verdict: 'TRACED', sub: 1 },
  'post-fwd': { verdict: 'TRANSLATED', sub: 2 },
  'post-rev': { verdict: 'TRANSLATED', sub: 4 },
} as const satisfies Record<string, { verdict: Verdict; sub: number }>;

/** Hubble leaves the reply state of translations open, which prints `<>`; so do we, though we know it. */
function xlateFields(point: keyof typeof XLATE): KindFields {
  const { verdict, sub } = XLATE[point];
  return {
    verdict,
    Type: 'SOCK',
    event_type: { type: EVENT_TYPES.sock, sub_type: sub },
    sock_xlate_point: XLATE_POINTS[sub] ?? 'SOCK_XLATE_POINT_UNKNOWN',
  };
}

function replyFields(isReply: boolean | undefined): Partial<Flow> {
  if (isReply === undefined) return {};
  return isReply ? { reply: true, is_reply: true } : { is_reply: false };
}

function interfaceField(index: number, options: FlowBuilderOptions): Partial<Flow> {
  if (index === 0) return {};
  const name = options.interfaceName(index);
  return { interface: { index, ...(name === undefined ? {} : { name }) } };
}
