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
 *
 * Thousands of packets a second pass and few are ever looked at. So what must be taken at once (the DNS message, whose
 * the addresses are, the latency) is taken at once, and the flow itself is put together when somebody reads it.
 */
import type { PacketEvent } from '../../datapath/datapath.ts';
import type { Ip } from '../../net/ip.ts';
import { type DnsSighting, sightDns } from '../dns-sighting.ts';
import type { Enricher } from '../enrich.ts';
import type { RingEntry } from '../ring.ts';
import { fallBackSummary, packetSummary } from '../summary.ts';
import { formatTime } from '../time.ts';
import { formatTraceId } from '../trace-id.ts';
import type { DnsPart, FlowPart, Interface, Peer, TracePart } from './flow-builder.ts';
import type { LatencyTable } from './latency.ts';
import { createLazyEntries } from './lazy-entry.ts';

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

const DNS_PORTS: ReadonlySet<number> = new Set([53, 5353]);

export function createExpander(options: ExpandOptions): Expander {
  return (event, lost) => {
    const timeNs = options.wallNs(event.timeNs);
    const sightings = carriesDns(event) ? sightDns(event) : [];
    const packet: Packet = { event, sightings, isReply: isReply(event, sightings) };
    const parts = [...packetParts(packet, options), ...dnsParts(packet, options)];
    const { protocol, tcpFlags } = event;
    const owners = ownersNow(event, options.enricher);
    const entries = createLazyEntries(
      { timeNs, protocol, tcpFlags, owners, traceId: traceIdOf(packet), parts },
      options,
    );
    if (lost === 0) return entries;
    const lost_events = { source: 'PERF_EVENT_RING_BUFFER', num_events_lost: String(lost) } as const;
    const response = { lost_events, node_name: options.nodeName, time: formatTime(timeNs) };
    return [{ timeNs, response }, ...entries];
  };
}

interface Packet {
  readonly event: PacketEvent;
  readonly sightings: readonly DnsSighting[];
  readonly isReply: boolean | undefined;
}

/**
 * A pod that is gone when the flow is read, or whose address another has by then, is still the one that sent it. What was
 * known in part is looked up again: the name of another node's pod comes a moment after its first packet.
 */
function ownersNow({ source, destination, translated }: PacketEvent, enricher: Enricher): Enricher {
  const sender = enricher.lookup(source.address);
  const receiver = enricher.lookup(destination.address);
  const other = translated === undefined ? receiver : enricher.lookup(translated.address);
  const [from, to] = [source.address, destination.address];
  return {
    lookup(address) {
      const known = address === from ? sender : address === to ? receiver : other;
      return known.provisional === true ? enricher.lookup(address) : known;
    },
  };
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

function packetParts(packet: Packet, options: ExpandOptions): readonly FlowPart[] {
  const { event } = packet;
  const { source, destination, translated } = event;
  const summary = packetSummary(event.protocol, event.tcpFlags);
  const trace = { kind: 'trace', isReply: packet.isReply, summary } as const;
  const at = interfaceOf(event.ifindex, options);
  const seen: TracePart = { ...trace, point: event.hook, source, destination, interface: at };
  switch (event.verdict) {
    case 'forwarded':
      return [seen];
    case 'redirected':
      if (translated === undefined) return [seen];
      return [
        seen,
        { kind: 'xlate', point: 'pre-fwd', source, destination, summary },
        { kind: 'xlate', point: 'post-fwd', source, destination: translated, summary },
        { ...trace, ...arrival(event, translated, options), source, destination: translated },
      ];
    case 'restored':
      if (translated === undefined) return [seen];
      return [
        seen,
        { kind: 'xlate', point: 'post-rev', source: translated, destination, summary },
        { ...trace, ...arrival(event, destination, options), source: translated, destination },
      ];
    case 'fell-back': {
      const reason = fallBackSummary(summary, event.reason);
      return [seen, { kind: 'xlate', point: 'pre-fwd', source, destination, summary: reason }];
    }
  }
}

/** A backend on the host's network has no interface of its own: it is reached through the host's stack. */
function arrival({ deliveredIfindex = 0 }: PacketEvent, peer: Peer, options: ExpandOptions) {
  const atPod = deliveredIfindex !== 0 || options.enricher.lookup(peer.address).pod !== undefined;
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

function dnsParts({ event, sightings }: Packet, options: ExpandOptions): readonly DnsPart[] {
  return sightings
    .filter((sighting) => isToldHere(event, sighting.response, options.enricher))
    .map((sighting) => {
      const { source, destination } = dnsEnds(event);
      const client = sighting.response ? destination : source;
      const traceId = formatTraceId({ client: client.address, port: client.port, id: sighting.id });
      const latencyNs = options.latency.measure(traceId, sighting.response, event.timeNs);
      const direction = isAtClient(event, sighting.response) ? 'EGRESS' : 'INGRESS';
      const ends = { kind: 'dns', source, destination, sighting, traceId } as const;
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

function isToldHere(event: PacketEvent, response: boolean, enricher: Enricher): boolean {
  if (isAtClient(event, response)) return true;
  const client: Ip = response ? event.destination.address : event.source.address;
  const { pod, provisional } = enricher.lookup(client);
  return pod === undefined && provisional !== true;
}
