/**
 * Hubble's metrics of flows and DNS (spec hubble 9), and those it lacks: how long clients waited, and who asks most. Made when
 * somebody scrapes. Whatever pods do, the number of series is bounded: types without a word are `Unknown`, addresses in an
 * answer are counted up to 32, a thousand kinds of messages and 64 ports are kept apart, and of clients the first hundred have
 * series of their own.
 */
import { VERDICT_NUMBERS } from '../datapath/packet-record.ts';
import { PROTOCOL_NUMBERS } from '../net/port.ts';
import type { FamilySamples, Sample } from '../telemetry/registry.ts';
import type { TRACE_POINTS, Verdict } from './api.ts';
import type { CountedPacket, FlowCounters } from './capture/flow-counters.ts';
import { LATENCY_BOUNDS } from './capture/flow-counters.ts';
import { OTHER_PORT } from './capture/port-counters.ts';
import type { ClientCounts, TopClients } from './capture/top-clients.ts';
import { hubbleTypeName, rcodeText } from './dns-sighting.ts';
import { hubbleDropReason } from './drop-reasons.ts';

export interface FlowMetricsInput {
  readonly counters: FlowCounters;
  readonly clients: TopClients;
  /** Redirected packets are left to the host's stack (`expand`). */
  readonly throughStack: boolean;
  /** Packets for which the kernel's ring had no room, ever. */
  readonly lost: number;
  /** The kernel's word for why it dropped packets. */
  readonly dropReason: (reason: number) => string;
  /** Who has the address now; both empty when it is no pod. */
  readonly podOf: (client: ClientCounts) => { readonly namespace: string; readonly pod: string };
}

/** Series of clients. */
const MOST_CLIENTS = 100;

export function flowFamilies(input: FlowMetricsInput): readonly FamilySamples[] {
  return [
    ...dnsFamilies(input.counters),
    flowsProcessed(input),
    ...dropFamilies(input),
    lostEvents(input),
    ...trafficFamilies(input.counters),
    latency(input),
    ...clientFamilies(input),
  ];
}

function dnsFamilies(counters: FlowCounters): readonly FamilySamples[] {
  const samples = counters.messages().map(({ kind, count }) => ({
    isResponse: kind.isResponse,
    sample: sample(count, {
      // Of a query there is none yet.
      rcode: kind.isResponse ? rcodeText(kind.rcode) : '',
      qtypes: hubbleTypeName(kind.qtype),
      ips_returned: String(kind.addresses),
    }),
  }));
  const of = (isResponse: boolean) =>
    samples.filter((each) => each.isResponse === isResponse).map((each) => each.sample);
  const types = counters
    .recordTypes()
    .map(({ kind, count }) =>
      sample(count, { type: hubbleTypeName(kind.type), qtypes: hubbleTypeName(kind.qtype) }),
    );
  return [
    counter('hubble_dns_queries_total', 'Number of DNS queries observed', of(false)),
    counter('hubble_dns_responses_total', 'Number of DNS responses observed', of(true)),
    counter('hubble_dns_response_types_total', 'Number of records in DNS responses, by type', types),
  ];
}

/** A translation has no protocol for Hubble, and counts as a type it does not know (spec hubble 9). */
const SOCK = { protocol: 'Unknown flow', type: 'Unknown', subtype: '7' } as const;

function flowsProcessed({ counters, throughStack }: FlowMetricsInput): FamilySamples {
  const counts = new Map<string, Sample>();
  const add = (count: number, labels: Readonly<Record<string, string>>) => {
    const key = Object.values(labels).join('\0');
    counts.set(key, sample((counts.get(key)?.value ?? 0) + count, labels));
  };
  for (const { kind, count } of counters.packets())
    for (const labels of flowsOf(kind, throughStack)) add(count, labels);
  const messages = counters.messages().reduce((sum, { count }) => sum + count, 0);
  if (messages > 0) add(messages, { protocol: 'DNS', type: 'L7', subtype: 'DNS', verdict: 'FORWARDED' });
  for (const { kind, count } of counters.drops()) {
    add(count, { protocol: protocolWord(kind.protocol), type: 'Drop', subtype: '', verdict: 'DROPPED' });
  }
  return counter('hubble_flows_processed_total', 'Number of flows observed', [...counts.values()]);
}

/** The flows that a packet of this kind is told as, without its messages (`expand`). */
function flowsOf(
  { verdict, hook, protocol, toHost }: CountedPacket,
  throughStack: boolean,
): readonly Readonly<Record<string, string>>[] {
  const trace = (point: (typeof TRACE_POINTS)[number]) => ({
    protocol: protocolWord(protocol),
    type: 'Trace',
    subtype: point,
    verdict: 'FORWARDED',
  });
  const xlate = (word: Verdict) => ({ ...SOCK, verdict: word });
  const seen = trace(hook === 0 ? 'from-endpoint' : 'to-endpoint');
  const arrived = trace(toHost ? 'to-host' : 'to-endpoint');
  const sent = throughStack && !toHost ? trace('to-stack') : arrived;
  if (verdict === VERDICT_NUMBERS.forwarded) return [seen];
  if (verdict === VERDICT_NUMBERS.redirected) return [seen, xlate('TRACED'), xlate('TRANSLATED'), sent];
  if (verdict === VERDICT_NUMBERS.restored)
    return [hook === 0 ? seen : trace('from-stack'), xlate('TRANSLATED'), arrived];
  const answer = verdict === VERDICT_NUMBERS.answered ? [trace('to-endpoint')] : [];
  return [seen, xlate('TRACED'), ...answer];
}

/** By Hubble's words, several of the kernel's are one of them; and by the kernel's own. */
function dropFamilies({ counters, dropReason }: FlowMetricsInput): readonly FamilySamples[] {
  const hubble = new Map<string, Sample>();
  const own: Sample[] = [];
  for (const { kind, count } of counters.drops()) {
    const word = dropReason(kind.reason);
    const protocol = protocolWord(kind.protocol);
    own.push(sample(count, { reason: word, protocol }));
    const labels = { reason: hubbleDropReason(word).word, protocol };
    const key = `${labels.reason} ${protocol}`;
    hubble.set(key, sample((hubble.get(key)?.value ?? 0) + count, labels));
  }
  return [
    counter('hubble_drop_total', "Number of dropped packets, by the nearest of Hubble's reasons", [
      ...hubble.values(),
    ]),
    counter('zerohop_kernel_drops_total', "Number of dropped packets, by the kernel's own reason", own),
  ];
}

function trafficFamilies(counters: FlowCounters): readonly FamilySamples[] {
  const ports = counters.ports.list().map(({ kind, count }) =>
    sample(count, {
      protocol: protocolWord(kind.protocol),
      port: kind.port === OTHER_PORT ? 'other' : String(kind.port),
    }),
  );
  const flags = counters
    .flags()
    .map(({ kind, count }) => sample(count, { flag: kind.flag, family: `IPv${kind.family}` }));
  return [
    counter(
      'hubble_port_distribution_total',
      'Number of flows by the port they go to, without replies',
      ports,
    ),
    counter('hubble_tcp_flags_total', 'Number of flows of TCP segments with these flags', flags),
  ];
}

function protocolWord(number: number): 'TCP' | 'UDP' {
  return number === PROTOCOL_NUMBERS.TCP ? 'TCP' : 'UDP';
}

function lostEvents({ lost }: FlowMetricsInput): FamilySamples {
  const samples = [sample(lost, { source: 'perf_event_ring_buffer' })];
  return counter(
    'hubble_lost_events_total',
    'Number of packets that were not told of, for want of room',
    samples,
  );
}

function latency({ counters }: FlowMetricsInput): FamilySamples {
  let below = 0;
  const samples: Sample[] = LATENCY_BOUNDS.map((bound, i) => {
    below += counters.latencyCounts[i] ?? 0;
    return { suffix: '_bucket', labels: { le: String(bound) }, value: below };
  });
  const all = below + (counters.latencyCounts[LATENCY_BOUNDS.length] ?? 0);
  samples.push(
    { suffix: '_bucket', labels: { le: '+Inf' }, value: all },
    { suffix: '_sum', labels: {}, value: counters.latencySeconds },
    { suffix: '_count', labels: {}, value: all },
  );
  const help = 'From a query to its answer, as seen at the interface of the client';
  return { name: 'zerohop_dns_client_latency_seconds', help, kind: 'histogram', samples };
}

function clientFamilies({ clients, podOf }: FlowMetricsInput): readonly FamilySamples[] {
  const rows = clients
    .list()
    .slice(0, MOST_CLIENTS)
    .map((client) => ({
      client,
      labels: { ...podOf(client), address: client.address },
    }));
  const family = (name: string, help: string, of: (client: ClientCounts) => number) =>
    counter(
      `zerohop_client_${name}`,
      `${help}, of the ${MOST_CLIENTS} clients that ask most`,
      rows.map(({ client, labels }) => sample(of(client), labels)),
    );
  return [
    family('dns_queries_total', 'Number of DNS queries', ({ queries }) => queries),
    family(
      'dns_name_errors_total',
      'Number of answers that a name does not exist',
      ({ nameErrors }) => nameErrors,
    ),
    family('dns_failures_total', 'Number of answers with another error', ({ failures }) => failures),
    family(
      'dns_latency_seconds_total',
      'Time from query to answer, summed up',
      ({ latencyNs }) => latencyNs / 1e9,
    ),
    family('dns_answers_total', 'Number of answers whose latency is known', ({ answers }) => answers),
    {
      name: 'zerohop_client_dns_queries_overcount',
      help: "So many of a client's queries may be of others, who asked before it was among those that ask most",
      kind: 'gauge',
      samples: rows
        .filter(({ client }) => client.error > 0)
        .map(({ client, labels }) => sample(client.error, labels)),
    },
  ];
}

function counter(name: string, help: string, samples: readonly Sample[]): FamilySamples {
  return { name, help, kind: 'counter', samples };
}

function sample(value: number, labels: Readonly<Record<string, string>>): Sample {
  return { suffix: '', labels, value };
}
