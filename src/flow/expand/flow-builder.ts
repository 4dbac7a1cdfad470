/** Puts together one `flow.Flow` from a packet and what is being said about it; fills every field of spec hubble 6.3. */
import { type Ip, ipFamily } from '../../net/ip.ts';
import type { Protocol } from '../../net/port.ts';
import {
  EVENT_TYPES,
  type Flow,
  type Layer4,
  type OBSERVATION_SOURCES,
  TRACE_POINTS,
  type Verdict,
  XLATE_POINTS,
} from '../api.ts';
import type { DnsSighting } from '../dns-sighting.ts';
import type { HubbleDropReason } from '../drop-reasons.ts';
import type { AddressInfo } from '../enrich.ts';
import { dnsSummary, tcpFlagWords } from '../summary.ts';

export interface Peer {
  readonly address: Ip;
  readonly port: number;
}

export interface Interface {
  readonly index: number;
  readonly name?: string;
}

interface Ends {
  readonly source: Peer;
  readonly destination: Peer;
}

/** A packet at a point. */
export interface TracePart extends Ends {
  readonly kind: 'trace';
  readonly point: 'from-endpoint' | 'to-endpoint' | 'to-host' | 'to-stack' | 'from-stack';
  /** Undefined: nobody knows. */
  readonly isReply: boolean | undefined;
  readonly summary: string;
  readonly interface: Interface | undefined;
}

/** A translation, or the decision not to translate. */
export interface XlatePart extends Ends {
  readonly kind: 'xlate';
  readonly point: 'pre-fwd' | 'post-fwd' | 'post-rev';
  readonly summary: string;
}

/** The end of a packet; also of one that carries DNS, which is told at the hook alone. */
export interface DropPart extends Ends {
  readonly kind: 'drop';
  readonly reason: HubbleDropReason;
  /** The kernel's number for it. */
  readonly kernelReason: number;
  readonly isReply: boolean | undefined;
  readonly direction: 'INGRESS' | 'EGRESS' | undefined;
  readonly summary: string;
  readonly interface: Interface | undefined;
}

/** A DNS message. */
export interface DnsPart extends Ends {
  readonly kind: 'dns';
  readonly sighting: DnsSighting;
  readonly observer: (typeof OBSERVATION_SOURCES)[keyof typeof OBSERVATION_SOURCES];
  readonly latencyNs: bigint | undefined;
  readonly direction: 'INGRESS' | 'EGRESS';
  readonly traceId: string;
  readonly interface: Interface | undefined;
}

export type FlowPart = TracePart | XlatePart | DropPart | DnsPart;

/** The packet that is being told about. */
export interface FlowSubject {
  readonly protocol: Protocol;
  readonly tcpFlags: number;
  /** RFC 3339. */
  readonly time: string;
  /** Of the first DNS message in it. */
  readonly traceId: string | undefined;
  readonly owners: Owners;
}

/** Who had an address when the packet passed. */
export type Owners = (address: Ip) => AddressInfo;

export interface FlowBuilderOptions {
  readonly nodeName: string;
  readonly version: string;
  readonly uuid: string;
  readonly namesOf: (client: Ip, address: Ip) => readonly string[];
}

export function buildFlow(part: FlowPart, subject: FlowSubject, options: FlowBuilderOptions): Flow {
  const source = subject.owners(part.source.address);
  const destination = subject.owners(part.destination.address);
  const traceId = part.kind === 'dns' ? part.traceId : subject.traceId;
  return {
    time: subject.time,
    uuid: options.uuid,
    IP: {
      source: part.source.address,
      destination: part.destination.address,
      ipVersion: ipFamily(part.source.address) === 4 ? 'IPv4' : 'IPv6',
    },
    l4: layer4(part, subject),
    source: source.endpoint,
    destination: destination.endpoint,
    node_name: options.nodeName,
    ...namesField('source_names', options.namesOf(part.destination.address, part.source.address)),
    ...namesField('destination_names', options.namesOf(part.source.address, part.destination.address)),
    ...(source.service === undefined ? {} : { source_service: source.service }),
    ...(destination.service === undefined ? {} : { destination_service: destination.service }),
    ...(traceId === undefined ? {} : { trace_context: { parent: { trace_id: traceId } } }),
    emitter: { name: 'zerohop', version: options.version },
    ...kindFields(part),
    Summary: part.kind === 'dns' ? dnsSummary(part.sighting, part.observer) : part.summary,
  };
}

function namesField(key: 'source_names' | 'destination_names', names: readonly string[]): Partial<Flow> {
  return names.length === 0 ? {} : { [key]: names };
}

function layer4({ source, destination, kind }: FlowPart, { protocol, tcpFlags }: FlowSubject): Layer4 {
  const ports = { source_port: source.port, destination_port: destination.port };
  if (protocol === 'UDP') return { UDP: ports };
  if (kind === 'dns') return { TCP: ports };
  const flags = Object.fromEntries(tcpFlagWords(tcpFlags).map((word) => [word, true] as const));
  return { TCP: { ...ports, flags } };
}

type KindFields = Pick<Flow, 'verdict' | 'Type' | 'event_type'> & Partial<Flow>;

function kindFields(part: FlowPart): KindFields {
  switch (part.kind) {
    case 'trace':
      return { ...traceFields(part), ...replyFields(part.isReply), ...interfaceField(part.interface) };
    case 'xlate':
      return xlateFields(part.point);
    case 'drop':
      return dropFields(part);
    case 'dns':
      return dnsFields(part);
  }
}

/**
 * The column of the stock client has the sub type, in words for Cilium's own drop codes and as a number for others. Those begin
 * at 130, but for some below 5 that mean something else.
 */
const LEAST_KERNEL_SUB_TYPE = 5;

function dropFields({ reason, kernelReason, isReply, direction, interface: at }: DropPart): KindFields {
  const isNamed = reason.number !== 0;
  const kernelSub = kernelReason < LEAST_KERNEL_SUB_TYPE || kernelReason > 129 ? 0 : kernelReason;
  const sub = isNamed ? reason.number : kernelSub;
  return {
    verdict: 'DROPPED',
    Type: 'L3_L4',
    event_type: { type: EVENT_TYPES.drop, ...(sub === 0 ? {} : { sub_type: sub }) },
    drop_reason_desc: reason.word,
    ...(direction === undefined ? {} : { traffic_direction: direction }),
    ...replyFields(isReply),
    ...interfaceField(at),
  };
}

function dnsFields({ sighting, observer, latencyNs, direction, interface: at }: DnsPart): KindFields {
  const { record, response } = sighting;
  return {
    verdict: 'FORWARDED',
    Type: 'L7',
    event_type: { type: EVENT_TYPES.l7 },
    traffic_direction: direction,
    l7: {
      type: response ? 'RESPONSE' : 'REQUEST',
      ...(latencyNs === undefined ? {} : { latency_ns: String(latencyNs) }),
      dns: { ...record, observation_source: observer },
    },
    ...replyFields(response),
    ...interfaceField(at),
  };
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
  'to-stack': 'TO_STACK',
  'from-stack': 'FROM_STACK',
} as const;

/** Of the connection as the endpoint at this point sees it: whoever asks has egress, whoever is asked has ingress. */
export function direction(point: string, isReply: boolean): 'INGRESS' | 'EGRESS' {
  const leaves = point === 'from-endpoint' || point === 'to-stack';
  return leaves === isReply ? 'INGRESS' : 'EGRESS';
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

function interfaceField(at: Interface | undefined): Partial<Flow> {
  return at === undefined ? {} : { interface: at };
}
