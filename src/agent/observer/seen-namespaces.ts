/**
 * Namespaces in the flows of the last hour. Nothing is noted while packets come; whoever asks has the log looked through, the
 * newest first, and of all packets between the same addresses only one is put together. What was found is remembered for its
 * hour, so that it outlives the packets. A namespace whose packets were overwritten before anybody asked is not known.
 */
import { RECORD_AT } from '../../datapath/packet-record.ts';
import type { GetFlowsResponse } from '../../flow/api.ts';
import type { LoggedPacket, PacketLog } from '../../flow/capture/packet-log.ts';
import type { FlowLog } from '../../flow/flow-log.ts';
import type { Turns } from '../../flow/turns.ts';

const HOUR_NS = 3_600_000_000_000n;
/** Pairs of addresses that are looked at, and namespaces that are remembered: a cluster has fewer. */
const MOST_PAIRS = 16_384;
const MOST_NAMESPACES = 4096;

export interface SeenNamespacesOptions {
  readonly packets: Pick<PacketLog, 'at'>;
  readonly flows: FlowLog;
  readonly turns: Turns;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** Of flows that name none. */
  readonly clusterName: string;
}

export interface SeenNamespace {
  readonly cluster: string;
  readonly namespace: string;
}

export class SeenNamespaces {
  readonly #options: SeenNamespacesOptions;
  /** By both names, when it was seen last: nanoseconds since the epoch. */
  readonly #seen = new Map<string, SeenNamespace & { readonly lastNs: bigint }>();
  #walk: Promise<void> | undefined;
  /** Rows before this one were looked at. */
  #lookedTo = 0;

  constructor(options: SeenNamespacesOptions) {
    this.#options = options;
  }

  /** Sorted by name. Who asks while the log is being looked through gets that answer. */
  async list(): Promise<readonly SeenNamespace[]> {
    this.#walk ??= this.#look().finally(() => {
      this.#walk = undefined;
    });
    await this.#walk;
    const since = this.#hourAgoNs();
    for (const [key, { lastNs }] of this.#seen) if (lastNs < since) this.#seen.delete(key);
    return [...this.#seen.values()]
      .map(({ cluster, namespace }) => ({ cluster, namespace }))
      .sort((a, b) => compare(a.cluster, b.cluster) || compare(a.namespace, b.namespace));
  }

  async #look(): Promise<void> {
    const { flows, packets, turns } = this.#options;
    const since = this.#hourAgoNs();
    const pairs = new Set<string>();
    const end = flows.next;
    let turn = await turns.take();
    for (let row = end - 1; row >= Math.max(flows.oldest, this.#lookedTo) && pairs.size < MOST_PAIRS; row--) {
      if (turn.isOver) turn = await turns.take();
      const packet = packets.at(row);
      if (packet === undefined || packet.lost > 0) continue;
      const pair = pairOf(packet);
      if (pairs.has(pair)) continue;
      pairs.add(pair);
      const found = flows.row(row);
      if (found === undefined) continue;
      if (found.timeNs < since) break;
      for (const response of found.responses) this.#note(response, found.timeNs);
    }
    this.#lookedTo = end;
  }

  #note({ flow }: GetFlowsResponse, lastNs: bigint): void {
    for (const end of [flow?.source, flow?.destination]) {
      if (end?.namespace === undefined) continue;
      const { namespace, cluster_name: cluster = this.#options.clusterName } = end;
      const key = `${cluster}/${namespace}`;
      const known = this.#seen.get(key);
      if (known === undefined && this.#seen.size >= MOST_NAMESPACES) continue;
      if (known === undefined || known.lastNs < lastNs) this.#seen.set(key, { cluster, namespace, lastNs });
    }
  }

  #hourAgoNs(): bigint {
    return BigInt(Math.round(this.#options.nowMs())) * 1_000_000n - HOUR_NS;
  }
}

/** Source, destination and where it was sent instead lie side by side. */
function pairOf({ memory, at }: LoggedPacket): string {
  const { buffer, byteOffset } = memory.bytes;
  const length = RECORD_AT.sourcePort - RECORD_AT.source;
  return Buffer.from(buffer, byteOffset + at + RECORD_AT.source, length).toString('latin1');
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
