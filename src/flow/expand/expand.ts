/**
 * One packet event becomes the flows an observer of Cilium expects (spec hubble 12.3):
 *
 *   forwarded   from-endpoint | to-endpoint
 *   redirected  from-endpoint to the frontend, pre-xlate-fwd TRACED, post-xlate-fwd TRANSLATED, to-endpoint at the backend
 *   restored    from-endpoint from the backend, post-xlate-rev TRANSLATED, to-endpoint at the client
 *   through the stack  the same, but to-stack in place of the last of redirected, and from-stack in place of the first of
 *               restored: its arrival at the backend is told by the hook there, if nothing on the way drops it
 *   fell-back   from-endpoint, pre-xlate-fwd TRACED alone, with the reason in its summary
 *   answered    by the program itself: from-endpoint to the frontend, pre-xlate-fwd TRACED with that in its summary, dns-request,
 *               to-endpoint from the frontend, dns-response
 *   dropped     DROPPED alone, with the kernel's reason: of the same packet a hook may have told before
 *
 * plus exactly one dns-request or dns-response per DNS message and cluster: told at the client pod's own interface, or at
 * the server's when the client is no pod of the cluster (a host process, an address from outside). So two agents that see
 * the same packet never both tell it. A client whose address is masqueraded on the way counts as no pod at the server.
 *
 * Thousands of packets a second pass and few are ever looked at: this happens when somebody reads them. What has to be
 * taken at once, the latency, is (`../capture`), and whose an address was at the time the enricher remembers.
 */
import type { PacketEvent } from '../../datapath/datapath.ts';
import type { Ip } from '../../net/ip.ts';
import { type Flow, OBSERVATION_SOURCES } from '../api.ts';
import { type DnsSighting, sightDns } from '../dns-sighting.ts';
import { hubbleDropReason } from '../drop-reasons.ts';
import { type Enricher, isPod } from '../enrich.ts';
import { dnsSummary, dropSummary, fallBackSummary, packetSummary } from '../summary.ts';
import { formatTraceId } from '../trace-id.ts';
import type { FlowUuid } from '../uuid.ts';
import {
  buildFlow,
  type DnsPart,
  type DropPart,
  direction,
  type FlowPart,
  type Interface,
  type Owners,
  type Peer,
  type TracePart,
} from './flow-builder.ts';
import { kernelAnswerParts } from './kernel-answer.ts';

export interface ExpandOptions {
  readonly nodeName: string;
  readonly version: string;
  /** Who had an address at a moment. */
  readonly enricher: Enricher;
  /** Redirected packets are left to the host's stack, which may yet drop them; absent: they go straight into their pod. */
  readonly throughStack?: boolean;
  /** Ports at which messages are DNS. */
  readonly dnsPorts: ReadonlySet<number>;
  readonly newUuid: FlowUuid;
  readonly interfaceName: (ifindex: number) => string | undefined;
  /** The kernel's word for why it dropped a packet. */
  readonly dropReason: (reason: number) => string;
  /** Names that a client asked for and was given this address. */
  readonly namesOf: (client: Ip, address: Ip) => readonly string[];
}

export interface SeenPacket {
  readonly event: PacketEvent;
  /** Its number in the log. */
  readonly sequence: number;
  /** RFC 3339. */
  readonly time: string;
  /** From the query to the answer in this packet; negative: not known. */
  readonly latencyNs: number;
}

export type Expander = (packet: SeenPacket) => readonly Flow[];

export function createExpander(options: ExpandOptions): Expander {
  return ({ event, sequence, time, latencyNs }) => {
    const sightings = carriesDns(event, options.dnsPorts) ? sightDns(event) : [];
    const owners = (address: Ip) => options.enricher.lookup(address, event.timeNs);
    const packet: Packet = {
      event,
      sightings,
      isReply: isReply(event, sightings, options),
      latencyNs,
      owners,
    };
    const parts = partsOf(packet, options);
    const { protocol, tcpFlags } = event;
    const subject = { protocol, tcpFlags, time, owners, traceId: traceIdOf(packet) };
    const { nodeName, version, namesOf } = options;
    return parts.map((part, index) =>
      buildFlow(part, subject, { nodeName, version, namesOf, uuid: options.newUuid(sequence, index) }),
    );
  };
}

interface Packet {
  readonly event: PacketEvent;
  readonly sightings: readonly DnsSighting[];
  readonly isReply: boolean | undefined;
  readonly latencyNs: number;
  /** Who had an address when the packet passed. */
  readonly owners: Owners;
}

function carriesDns(
  { verdict, source, destination, translated }: PacketEvent,
  ports: ReadonlySet<number>,
): boolean {
  if (verdict === 'answered') return true;
  return ports.has(source.port) || ports.has(destination.port) || ports.has(translated?.port ?? 0);
}

/** Translation knows, the DNS QR bit knows; without either, the side on a DNS port is taken for the server. */
function isReply(
  event: PacketEvent,
  sightings: readonly DnsSighting[],
  { dnsPorts }: ExpandOptions,
): boolean | undefined {
  const { verdict } = event;
  if (verdict === 'redirected' || verdict === 'fell-back' || verdict === 'answered') return false;
  if (verdict === 'restored') return true;
  const [first] = sightings;
  if (first !== undefined) return first.response;
  const fromServer = dnsPorts.has(event.source.port);
  return fromServer === dnsPorts.has(event.destination.port) ? undefined : fromServer;
}

function partsOf(packet: Packet, options: ExpandOptions): readonly FlowPart[] {
  if (packet.event.verdict !== 'answered')
    return [...packetParts(packet, options), ...dnsParts(packet, options)];
  return kernelAnswerParts(packet, interfaceOf(packet.event.ifindex, options));
}

function packetParts(packet: Packet, options: ExpandOptions): readonly FlowPart[] {
  const { event } = packet;
  const { source, destination, translated } = event;
  const summary = packetSummary(event.protocol, event.tcpFlags);
  const trace = { kind: 'trace', isReply: packet.isReply, summary } as const;
  const at = interfaceOf(event.ifindex, options);
  const seen: TracePart = { ...trace, point: event.hook, source, destination, interface: at };
  switch (event.verdict) {
    case 'forwarded':
    case 'answered':
      return [seen];
    case 'redirected':
      if (translated === undefined) return [seen];
      return [
        seen,
        { kind: 'xlate', point: 'pre-fwd', source, destination, summary },
        { kind: 'xlate', point: 'post-fwd', source, destination: translated, summary },
        { ...trace, ...arrival(packet, translated, options), source, destination: translated },
      ];
    case 'restored':
      if (translated === undefined) return [seen];
      return [
        // At the client's own interface a packet is only once, and that is the last of these.
        event.hook === 'to-endpoint' ? { ...seen, point: 'from-stack' } : seen,
        { kind: 'xlate', point: 'post-rev', source: translated, destination, summary },
        { ...trace, ...arrival(packet, destination, options), source: translated, destination },
      ];
    case 'fell-back': {
      const reason = fallBackSummary(summary, event.reason);
      return [seen, { kind: 'xlate', point: 'pre-fwd', source, destination, summary: reason }];
    }
    case 'dropped':
      return [dropPart(packet, summary, options)];
  }
}

function dropPart({ event, sightings, isReply }: Packet, summary: string, options: ExpandOptions): DropPart {
  const { source, destination, drop = { reason: 0, place: 'node' } } = event;
  const word = options.dropReason(drop.reason);
  const [first] = sightings;
  const message = first === undefined ? {} : { message: dnsSummary(first, OBSERVATION_SOURCES.seen) };
  return {
    ...{ kind: 'drop', source, destination, isReply },
    ...{ reason: hubbleDropReason(word), kernelReason: drop.reason },
    direction: isReply === undefined ? undefined : direction(event.hook, isReply),
    summary: dropSummary(summary, { place: drop.place, word, ...message }),
    interface: interfaceOf(event.ifindex, options),
  };
}

/** A backend on the host's network has no interface of its own: it is reached through the host's stack. */
function arrival({ event, owners }: Packet, peer: Peer, options: ExpandOptions) {
  const { deliveredIfindex = 0 } = event;
  if (options.throughStack === true && event.verdict === 'redirected' && deliveredIfindex !== 0)
    return { point: 'to-stack' as const, interface: undefined };
  const atPod = deliveredIfindex !== 0 || owners(peer.address).pod !== undefined;
  const point = atPod ? ('to-endpoint' as const) : ('to-host' as const);
  return { point, interface: interfaceOf(deliveredIfindex, options) };
}

function interfaceOf(index: number, { interfaceName }: ExpandOptions): Interface | undefined {
  if (index === 0) return undefined;
  const name = interfaceName(index);
  return name === undefined ? { index } : { index, name };
}

function traceIdOf({ event, sightings, isReply }: Packet): string | undefined {
  const [first] = sightings;
  if (first === undefined) return undefined;
  const client = isReply === true ? event.destination : event.source;
  return formatTraceId({ client: client.address, port: client.port, id: first.id });
}

function dnsParts(packet: Packet, options: ExpandOptions): readonly DnsPart[] {
  const { event, owners } = packet;
  const told = packet.sightings.filter((sighting) => isToldHere(event, sighting.response, owners));
  return told.map((sighting, index) => {
    const { source, destination } = dnsEnds(event);
    const client = sighting.response ? destination : source;
    const traceId = formatTraceId({ client: client.address, port: client.port, id: sighting.id });
    // Of several in one segment the last one's was noted.
    const isNoted = sighting.response && packet.latencyNs >= 0 && index === told.length - 1;
    const latencyNs = isNoted ? BigInt(Math.round(packet.latencyNs)) : undefined;
    const direction = isAtClient(event, sighting.response) ? 'EGRESS' : 'INGRESS';
    const observer = OBSERVATION_SOURCES.seen;
    const ends = { kind: 'dns', source, destination, sighting, observer, traceId } as const;
    return { ...ends, latencyNs, direction, interface: interfaceOf(event.ifindex, options) };
  });
}

/** Of a translated packet: the client and the pod that really serves it, not the address that stands in between. */
function dnsEnds(event: PacketEvent): { readonly source: Peer; readonly destination: Peer } {
  const { source, destination, translated } = event;
  if (event.verdict === 'redirected' && translated !== undefined) return { source, destination: translated };
  return { source, destination };
}

/** Queries leave their client, answers are delivered to it; a translated packet does both in one event. */
function isAtClient(event: PacketEvent, response: boolean): boolean {
  if (event.verdict === 'redirected' || event.verdict === 'restored') return true;
  return (event.hook === 'from-endpoint') !== response;
}

function isToldHere(event: PacketEvent, response: boolean, owners: Owners): boolean {
  if (event.verdict === 'dropped') return false;
  if (isAtClient(event, response)) return true;
  const client: Ip = response ? event.destination.address : event.source.address;
  return !isPod(owners(client));
}
