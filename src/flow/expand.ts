/**
 * One packet event becomes the flows an observer of Cilium expects (spec hubble 12.3):
 *
 *   forwarded   from-endpoint | to-endpoint
 *   redirected  from-endpoint to the frontend, pre-xlate-fwd TRACED, post-xlate-fwd TRANSLATED, to-endpoint at the backend
 *   restored    from-endpoint from the backend, post-xlate-rev TRANSLATED, to-endpoint at the client
 *   fell-back   from-endpoint, pre-xlate-fwd TRACED alone, with the reason in its summary
 *
 * plus exactly one dns-request or dns-response per DNS message and cluster: told at the client pod's own interface, or at
 * the server's when the client is no pod of the cluster (a host process, an address from outside). So two agents that see
 * the same packet never both tell it. A client whose address is masqueraded on the way counts as no pod at the server.
 */
import type { PacketEvent } from '../datapath/datapath.ts';
import type { Ip } from '../net/ip.ts';
import type { Flow } from './api.ts';
import { type DnsSighting, sightDns } from './dns-sighting.ts';
import type { Enricher } from './enrich.ts';
import { buildFlow, type FlowPart, type Peer, type TracePart } from './flow-builder.ts';
import type { LatencyTable } from './latency.ts';
import type { RingEntry } from './ring.ts';
import { dnsSummary, fallBackSummary, packetSummary } from './summary.ts';
import { formatTime } from './time.ts';
import { formatTraceId } from './trace-id.ts';

export interface ExpandOptions {
  readonly nodeName: string;
  readonly version: string;
  readonly enricher: Enricher;
  readonly latency: LatencyTable;
  /** Nanoseconds since the epoch of a CLOCK_MONOTONIC reading. */
  readonly wallNs: (monotonicNs: bigint) => bigint;
  readonly newUuid: () => string;
  readonly interfaceName: (ifindex: number) => string | undefined;
}

export type Expander = (event: PacketEvent, lost: number) => readonly RingEntry[];

/** The word in `dns-request WORD`: seen by tc programs, not by a proxy. */
export const OBSERVATION_SOURCE = 'tc';

const DNS_PORTS: ReadonlySet<number> = new Set([53, 5353]);

export function createExpander(options: ExpandOptions): Expander {
  return (event, lost) => {
    const timeNs = options.wallNs(event.timeNs);
    const sightings = carriesDns(event) ? sightDns(event) : [];
    const time = formatTime(timeNs);
    const packet: Packet = { event, time, sightings, isReply: isReply(event, sightings) };
    const flows = [...packetFlows(packet, options), ...dnsFlows(packet, options)];
    const node_name = options.nodeName;
    const entries: RingEntry[] = flows.map((flow) => ({ timeNs, response: { flow, node_name, time } }));
    if (lost === 0) return entries;
    const lost_events = { source: 'PERF_EVENT_RING_BUFFER', num_events_lost: String(lost) } as const;
    return [{ timeNs, response: { lost_events, node_name, time } }, ...entries];
  };
}

interface Packet {
  readonly event: PacketEvent;
  readonly time: string;
  readonly sightings: readonly DnsSighting[];
  readonly isReply: boolean | undefined;
}

function carriesDns({ source, destination, translated }: PacketEvent): boolean {
  return [source.port, destination.port, translated?.port ?? 0].some((port) => DNS_PORTS.has(port));
}

/** Translation knows, the DNS QR bit knows; without either, the side on a DNS port is taken for the server. */
function isReply(event: PacketEvent, sightings: readonly DnsSighting[]): boolean | undefined {
  if (event.verdict === 'redirected' || event.verdict === 'fell-back') return false;
  if (event.verdict === 'restored') return true;
  const [first] = sightings;
  if (first !== undefined) return first.response;
  const fromServer = DNS_PORTS.has(event.source.port);
  return fromServer === DNS_PORTS.has(event.destination.port) ? undefined : fromServer;
}

function packetFlows(packet: Packet, options: ExpandOptions): readonly Flow[] {
  const { event, time } = packet;
  const subject = { ...options, event, time, traceId: traceIdOf(packet) };
  return packetParts(packet, options.enricher).map((part) => buildFlow(part, subject));
}

function packetParts(packet: Packet, enricher: Enricher): readonly FlowPart[] {
  const { event } = packet;
  const { source, destination, translated } = event;
  const { ifindex, deliveredIfindex = 0 } = event;
  const summary = packetSummary(event.protocol, event.tcpFlags);
  const trace = { kind: 'trace', isReply: packet.isReply, summary } as const;
  const seen: TracePart = { ...trace, point: event.hook, source, destination, ifindex };
  switch (event.verdict) {
    case 'forwarded':
      return [seen];
    case 'redirected':
      if (translated === undefined) return [seen];
      return [
        seen,
        { kind: 'xlate', point: 'pre-fwd', source, destination, summary },
        { kind: 'xlate', point: 'post-fwd', source, destination: translated, summary },
        { ...trace, ...arrival(deliveredIfindex, translated, enricher), source, destination: translated },
      ];
    case 'restored':
      if (translated === undefined) return [seen];
      return [
        seen,
        { kind: 'xlate', point: 'post-rev', source: translated, destination, summary },
        { ...trace, ...arrival(deliveredIfindex, destination, enricher), source: translated, destination },
      ];
    case 'fell-back': {
      const reason = fallBackSummary(summary, event.reason);
      return [seen, { kind: 'xlate', point: 'pre-fwd', source, destination, summary: reason }];
    }
  }
}

/** A backend on the host's network has no interface of its own: it is reached through the host's stack. */
function arrival(deliveredIfindex: number, peer: Peer, enricher: Enricher) {
  const atPod = deliveredIfindex !== 0 || enricher.lookup(peer.address).pod !== undefined;
  return { point: atPod ? 'to-endpoint' : 'to-host', ifindex: deliveredIfindex } as const;
}

function traceIdOf({ event, sightings, isReply }: Packet): string | undefined {
  const [first] = sightings;
  if (first === undefined) return undefined;
  const client = isReply === true ? event.destination : event.source;
  return formatTraceId({ client: client.address, port: client.port, id: first.id });
}

function dnsFlows(packet: Packet, options: ExpandOptions): readonly Flow[] {
  const { event, time } = packet;
  return packet.sightings
    .filter((sighting) => isToldHere(event, sighting.response, options.enricher))
    .map((sighting) => {
      const { source, destination } = dnsEnds(event);
      const client = sighting.response ? destination : source;
      const traceId = formatTraceId({ client: client.address, port: client.port, id: sighting.id });
      const summary = dnsSummary(sighting, OBSERVATION_SOURCE);
      const record = { ...sighting.record, observation_source: OBSERVATION_SOURCE };
      const latencyNs = options.latency.measure(traceId, sighting.response, event.timeNs);
      const part = { kind: 'dns', source, destination, isReply: sighting.response, summary } as const;
      const direction = isAtClient(event, sighting.response) ? 'EGRESS' : 'INGRESS';
      const detail = { record, latencyNs, direction, ifindex: event.ifindex } as const;
      return buildFlow({ ...part, ...detail }, { ...options, event, time, traceId });
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

function isToldHere(event: PacketEvent, response: boolean, enricher: Enricher): boolean {
  if (isAtClient(event, response)) return true;
  const client: Ip = response ? event.destination.address : event.source.address;
  return enricher.lookup(client).pod === undefined;
}
