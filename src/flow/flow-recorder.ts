/** The kernel's ring to the node's log of packets and its counters, and from there to flows. */
import { randomBytes } from 'node:crypto';
import type { PodRow } from '../cluster/rows.ts';
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import type { Datapath, PacketEvent } from '../datapath/datapath.ts';
import { RECORD_AT, type RecordMemory, toPacketEvent } from '../datapath/packet-record.ts';
import type { Ip } from '../net/ip.ts';
import type { Readable } from '../store/store.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import { FlowCapture } from './capture/capture.ts';
import { FlowCounters } from './capture/flow-counters.ts';
import type { PacketLog } from './capture/packet-log.ts';
import { PodMemo } from './capture/pod-memo.ts';
import { TopClients } from './capture/top-clients.ts';
import { DEFAULT_DNS_PORTS, hasTypeWord, sightDns } from './dns-sighting.ts';
import { createEnricher, isPod } from './enrich.ts';
import { createExpander } from './expand/expand.ts';
import { type FlowLog, RecordedFlows } from './flow-log.ts';
import { LearnedNames } from './learned-names.ts';
import { createWallTime, systemTimeSource, type TimeSource } from './time.ts';
import { createFlowUuids } from './uuid.ts';

/** The observer's own packets, probes: nobody asked for them, so they are no flows. */
export interface OwnPackets {
  /** A glance, by ports alone; `protocol` is IANA's number. False: it is certainly none of ours. */
  mayBeOwn(protocol: number, sourcePort: number, destinationPort: number): boolean;
  isOwn(event: PacketEvent): boolean;
}

export interface FlowRecorderOptions {
  readonly nodeName: string;
  readonly version: string;
  readonly snapshot: Readable<ClusterSnapshot>;
  readonly datapath: Pick<Datapath, 'onPackets' | 'interfaces' | 'dropReason'>;
  /** Names pods of other nodes; absent: the endpoint slices alone do. */
  readonly remotePod?: (address: Ip) => PodRow | undefined;
  readonly packets: PacketLog;
  readonly clock: Clock;
  /** Default: the system's. */
  readonly time?: TimeSource;
  /** Milliseconds since the epoch; default: as precisely as it is known. */
  readonly preciseMs?: () => number;
  readonly own?: OwnPackets;
  /** How redirected packets get to their pod; default `direct`. */
  readonly delivery?: 'direct' | 'stack';
  /** Ports whose packets come; default 53. */
  readonly flowPorts?: readonly number[];
  /** Ports at which messages are DNS. */
  readonly dnsPorts?: readonly number[];
}

export interface FlowRecorder {
  readonly flows: FlowLog;
  readonly counters: FlowCounters;
  readonly clients: TopClients;
  /** Redirected packets are left to the host's stack. */
  readonly throughStack: boolean;
  /** The pod that has the address now; both empty when it is none. */
  podOf(client: { readonly address: Ip }): { readonly namespace: string; readonly pod: string };
  /** The kernel's word for why it dropped packets. */
  dropReason(reason: number): string;
  /** Tells the programs to tell of packets. */
  start(): void;
  /** Stops its timer; packets come until the datapath is closed. */
  close(): void;
}

const TIME_REFRESH_MS = 10_000;
/** What is known of other nodes' pods comes by itself, so answers about them are no older than this. */
const POD_MEMO_MS = 1000;

export function createFlowRecorder(options: FlowRecorderOptions): FlowRecorder {
  const { datapath, packets, clock, snapshot, nodeName, version, remotePod } = options;
  const { time = systemTimeSource, flowPorts = [] } = options;
  const throughStack = options.delivery === 'stack';
  const dnsPorts = new Set(options.dnsPorts ?? DEFAULT_DNS_PORTS);
  // Names are of use where packets come that are no DNS.
  const learnsNames = flowPorts.some((port) => !dnsPorts.has(port));
  const wall = createWallTime(time, options.preciseMs);
  const enricher = createEnricher(snapshot, nodeName, {
    ...(remotePod === undefined ? {} : { remotePod }),
    nowNs: () => time.monotonicNs(),
  });
  const names = new LearnedNames();
  const expand = createExpander({
    ...{ nodeName, version, enricher, dnsPorts, throughStack },
    newUuid: createFlowUuids(randomBytes(8)),
    interfaceName: createInterfaceNames(datapath, clock),
    dropReason: (reason) => datapath.dropReason(reason),
    namesOf: (client, address) => names.namesOf(client, address),
  });
  const counters = new FlowCounters(hasTypeWord);
  const clients = new TopClients();
  const epoch = () => snapshot.get().generation * 1e6 + Math.floor(clock.monotonicMs() / POD_MEMO_MS);
  const memo = new PodMemo((address) => isPod(enricher.lookup(address)), epoch);
  const capture = new FlowCapture({
    ...{ log: packets, counters, clients, dnsPorts },
    isPod: (words, at, hash) => memo.isPod(words, at, hash),
    isOwn: createOwnTest(options.own),
    seed: randomBytes(4).readInt32LE(),
    ...(learnsNames && {
      onAnswer: (memory, at, length) => learn(names, toPacketEvent(memory, at, length)),
    }),
  });
  let timer: Timer | undefined;
  const refresh = (): void => {
    wall.refresh();
    timer = clock.after(TIME_REFRESH_MS, refresh);
  };
  return {
    flows: new RecordedFlows(packets, {
      ...{ nodeName, expand, wallNs: wall.wallNs },
      nowNs: () => time.monotonicNs(),
    }),
    ...{ counters, clients, throughStack },
    podOf({ address }) {
      const { endpoint } = enricher.lookup(address);
      return { namespace: endpoint.namespace ?? '', pod: endpoint.pod_name ?? '' };
    },
    dropReason: (reason) => datapath.dropReason(reason),
    start() {
      datapath.onPackets(capture);
      refresh();
    },
    close: () => timer?.cancel(),
  };
}

function learn(names: LearnedNames, event: PacketEvent | undefined): void {
  if (event === undefined) return;
  const client = event.verdict === 'answered' ? event.source : event.destination;
  for (const { response, record } of sightDns(event))
    if (response && record.ips !== undefined) names.learn(client.address, record.query, record.ips);
}

/** Ports first: they are there without making anything, and nearly always are nobody's. */
function createOwnTest(own: OwnPackets | undefined) {
  return (memory: RecordMemory, at: number, length: number): boolean => {
    const { bytes } = memory;
    const [from, to] = [
      portAt(bytes, at + RECORD_AT.sourcePort),
      portAt(bytes, at + RECORD_AT.destinationPort),
    ];
    if (own?.mayBeOwn(bytes[at + RECORD_AT.protocol] ?? 0, from, to) !== true) return false;
    const event = toPacketEvent(memory, at, length);
    return event !== undefined && own.isOwn(event);
  };
}

function portAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

const NAMES_MAX_AGE_MS = 1000;

/** Interface names by index; the list is taken from the datapath when an index is new, at most once a second. */
function createInterfaceNames(
  datapath: Pick<Datapath, 'interfaces'>,
  clock: Clock,
): (ifindex: number) => string | undefined {
  let names = new Map<number, string>();
  let takenAtMs = Number.NEGATIVE_INFINITY;
  return (ifindex) => {
    const nowMs = clock.monotonicMs();
    if (!names.has(ifindex) && nowMs - takenAtMs > NAMES_MAX_AGE_MS) {
      names = new Map(datapath.interfaces().map((row) => [row.ifindex, row.ifname]));
      takenAtMs = nowMs;
    }
    return names.get(ifindex);
  };
}
