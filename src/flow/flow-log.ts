/**
 * The flows of a node, read from its memory of packets: a packet's flows are put together when somebody reads them, and
 * those of the last few packets are kept for whoever reads them next. A flow has one uuid, whoever reads it and whenever.
 */
import { recordTimeNs, toPacketEvent } from '../datapath/packet-record.ts';
import type { GetFlowsResponse } from './api.ts';
import type { LoggedPacket, PacketLog } from './capture/packet-log.ts';
import type { Expander } from './expand/expand.ts';
import { glanceAt, type PacketGlance } from './filter/glance.ts';
import { formatTime } from './time.ts';

/** What one number of the log stands for: a packet's flows, oldest first, or a word that packets were lost. */
export interface FlowRow {
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
  readonly responses: readonly GetFlowsResponse[];
}

/** Rows have numbers that never repeat; the oldest go when there is no room. */
export interface FlowLog {
  /** The number the next row gets. */
  readonly next: number;
  /** The number of the oldest row still here; equals `next` when there is none. */
  readonly oldest: number;
  /** Nothing for a row that is gone or not yet there. */
  row(sequence: number): FlowRow | undefined;
  /** What the packet of a row shows without its flows; good until the next row. Nothing: no packet. */
  glance(sequence: number): PacketGlance | undefined;
  /** Calls `wake` once, at the next row; returns the way to stop waiting. */
  onNext(wake: () => void): () => void;
}

export interface FlowLogOptions {
  readonly nodeName: string;
  readonly expand: Expander;
  /** Nanoseconds since the epoch of a CLOCK_MONOTONIC reading. */
  readonly wallNs: (monotonicNs: bigint) => bigint;
  /** CLOCK_MONOTONIC. */
  readonly nowNs: () => bigint;
}

/** Of a node that records none. */
export const NO_FLOWS: FlowLog = {
  next: 0,
  oldest: 0,
  row: () => undefined,
  glance: () => undefined,
  onNext: () => () => undefined,
};

/** Followers read the newest, at about the same time; whoever comes later may learn more of who was who. */
const KEPT_ROWS = 512;
const KEPT_NS = 250_000_000n;

export class RecordedFlows implements FlowLog {
  readonly #packets: PacketLog;
  readonly #options: FlowLogOptions;
  readonly #kept = new Map<number, { readonly row: FlowRow; readonly madeNs: bigint }>();

  constructor(packets: PacketLog, options: FlowLogOptions) {
    this.#packets = packets;
    this.#options = options;
  }

  get next(): number {
    return this.#packets.next;
  }

  get oldest(): number {
    return this.#packets.oldest;
  }

  onNext(wake: () => void): () => void {
    return this.#packets.onNext(wake);
  }

  row(sequence: number): FlowRow | undefined {
    const packet = this.#packets.at(sequence);
    if (packet === undefined) return undefined;
    const known = this.#kept.get(sequence);
    const nowNs = this.#options.nowNs();
    if (known !== undefined && nowNs - known.madeNs < KEPT_NS) return known.row;
    const row = packet.lost > 0 ? this.#lossRow(sequence, packet.lost) : this.#packetRow(sequence, packet);
    this.#kept.set(sequence, { row, madeNs: nowNs });
    if (this.#kept.size > KEPT_ROWS) {
      const [first = -1] = this.#kept.keys();
      this.#kept.delete(first);
    }
    return row;
  }

  glance(sequence: number): PacketGlance | undefined {
    const packet = this.#packets.at(sequence);
    if (packet === undefined || packet.lost > 0) return undefined;
    return glanceAt(packet, this.#options.wallNs(recordTimeNs(packet.memory, packet.at)));
  }

  #packetRow(sequence: number, packet: LoggedPacket): FlowRow {
    const { nodeName, expand, wallNs } = this.#options;
    const event = toPacketEvent(packet.memory, packet.at, packet.length);
    // Capture keeps no packet that cannot be shown.
    if (event === undefined) return { timeNs: 0n, responses: [] };
    const timeNs = wallNs(event.timeNs);
    const time = formatTime(timeNs);
    const flows = expand({ event, sequence, time, latencyNs: packet.latencyNs });
    return { timeNs, responses: flows.map((flow) => ({ flow, node_name: nodeName, time })) };
  }

  /** Nobody knows when they were lost: after the packet before; when that is gone, before the next. */
  #lossRow(sequence: number, count: number): FlowRow {
    const seenNs = this.#seenNs(sequence - 1) ?? this.#seenNs(sequence + 1);
    const timeNs = this.#options.wallNs(seenNs ?? this.#options.nowNs());
    const lost_events = { source: 'PERF_EVENT_RING_BUFFER', num_events_lost: String(count) } as const;
    return {
      timeNs,
      responses: [{ lost_events, node_name: this.#options.nodeName, time: formatTime(timeNs) }],
    };
  }
  /** CLOCK_MONOTONIC; nothing where there is no packet. */
  #seenNs(sequence: number): bigint | undefined {
    const packet = this.#packets.at(sequence);
    if (packet === undefined || packet.lost > 0) return undefined;
    return recordTimeNs(packet.memory, packet.at);
  }
}
