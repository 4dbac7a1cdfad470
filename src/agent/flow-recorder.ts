/** Ring buffer to ring: every packet event becomes flows and is kept. The datapath's one listener while recording. */
import { randomUUID } from 'node:crypto';
import type { PodRow } from '../cluster/rows.ts';
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import type { Datapath, PacketEvent } from '../datapath/datapath.ts';
import { createEnricher } from '../flow/enrich.ts';
import { createExpander } from '../flow/expand/expand.ts';
import { createLatencyTable } from '../flow/expand/latency.ts';
import type { FlowRing } from '../flow/ring.ts';
import { createWallTime, systemTimeSource } from '../flow/time.ts';
import type { Ip } from '../net/ip.ts';
import type { Readable } from '../store/store.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';

export interface FlowRecorderOptions {
  readonly nodeName: string;
  readonly version: string;
  readonly snapshot: Readable<ClusterSnapshot>;
  readonly datapath: Datapath;
  /** Names pods of other nodes; absent: the endpoint slices alone do. */
  readonly remotePod?: (address: Ip) => PodRow | undefined;
  readonly ring: FlowRing;
  readonly clock: Clock;
  /** The agent's own packets are nobody's flows. */
  readonly isOwn?: (event: PacketEvent) => boolean;
}

const TIME_REFRESH_MS = 10_000;

/** Starts recording; returns the way to stop its timer. The listener stays until the datapath is closed. */
export function startFlowRecorder(options: FlowRecorderOptions): () => void {
  const { datapath, ring, clock, isOwn = () => false } = options;
  const time = createWallTime(systemTimeSource);
  const names = createInterfaceNames(datapath, clock);
  const expand = createExpander({
    nodeName: options.nodeName,
    version: options.version,
    enricher: createEnricher(options.snapshot, options.nodeName, {
      ...(options.remotePod === undefined ? {} : { remotePod: options.remotePod }),
    }),
    latency: createLatencyTable(),
    wallNs: (monotonicNs) => time.wallNs(monotonicNs),
    newUuid: randomUUID,
    interfaceName: names,
  });
  let untold = 0;
  datapath.onEvent((event, lost) => {
    untold += lost;
    // What was lost before it is told of with the next one that is shown.
    if (isOwn(event)) return;
    for (const entry of expand(event, untold)) ring.push(entry);
    untold = 0;
  });
  let timer: Timer | undefined;
  const refresh = (): void => {
    time.refresh();
    timer = clock.after(TIME_REFRESH_MS, refresh);
  };
  refresh();
  return () => timer?.cancel();
}

const NAMES_MAX_AGE_MS = 1000;

/** Interface names by index; the list is taken from the datapath at most once a second, and when an index is new. */
function createInterfaceNames(datapath: Datapath, clock: Clock): (ifindex: number) => string | undefined {
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
