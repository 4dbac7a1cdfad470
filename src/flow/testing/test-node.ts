/** Test support: the observer of one node, from packets as the kernel tells them to flows, with time that stands still. */
import type { ClusterSnapshot } from '../../cluster/snapshot.ts';
import type { InterfaceRow, PacketEvent } from '../../datapath/datapath.ts';
import { type PacketSink, toRecord } from '../../datapath/packet-record.ts';
import { createStore } from '../../store/store.ts';
import { systemClock } from '../../telemetry/clock.ts';
import type { Flow, GetFlowsResponse } from '../api.ts';
import { PacketLog } from '../capture/packet-log.ts';
import { createFlowRecorder, type FlowRecorder } from '../flow-recorder.ts';
import { ip, SAMPLE_CLUSTER } from './sample-cluster.ts';

/** Nanoseconds since the epoch of CLOCK_MONOTONIC 0: 2026-03-03 10:00. */
const EPOCH_MS = 1_772_532_000_000;

const VETH7: InterfaceRow = {
  pod: 'default/netshoot',
  address: ip('172.20.1.5'),
  ifindex: 7,
  ifname: 'veth7',
  status: { state: 'done', sinceMs: 0, attempts: 1 },
  permitted: false,
  redirects: true,
  answers: false,
};

/** As Linux 6.18 numbers them. */
const DROP_WORDS: Readonly<Record<number, string>> = {
  3: 'NO_SOCKET',
  6: 'SOCKET_RCVBUFF',
  12: 'NETFILTER_DROP',
};

export interface TestNodeOptions {
  readonly capacity?: number;
  readonly flowPorts?: readonly number[];
  readonly delivery?: 'direct' | 'stack';
}

export class TestNode {
  readonly cluster;
  readonly packets: PacketLog;
  readonly recorder: FlowRecorder;
  /** CLOCK_MONOTONIC. */
  nowNs = 0n;
  #sink: PacketSink | undefined;

  constructor(
    nodeName = 'k8s-w1',
    { capacity, flowPorts = [53], delivery = 'direct' }: TestNodeOptions = {},
  ) {
    this.cluster = createStore<ClusterSnapshot>(SAMPLE_CLUSTER);
    this.packets = new PacketLog(capacity);
    this.recorder = createFlowRecorder({
      ...{ nodeName, version: '0.0.0', snapshot: this.cluster, packets: this.packets, clock: systemClock },
      datapath: {
        onPackets: (sink) => {
          this.#sink = sink;
        },
        interfaces: () => [VETH7],
        dropReason: (reason) => DROP_WORDS[reason] ?? `REASON_${reason}`,
      },
      ...{ flowPorts, delivery },
      time: { nowMs: () => EPOCH_MS, monotonicNs: () => this.nowNs },
      preciseMs: () => EPOCH_MS,
    });
    this.recorder.start();
    this.recorder.close();
  }

  /** The flows of this packet. */
  see(event: PacketEvent): readonly Flow[] {
    const { next } = this.recorder.flows;
    const record = toRecord(event);
    this.#sink?.packet(record, 0, record.bytes.length);
    return this.responsesAt(next).flatMap(({ flow }) => flow ?? []);
  }

  lose(count: number): void {
    this.#sink?.lost(count);
  }

  responsesAt(sequence: number): readonly GetFlowsResponse[] {
    return this.recorder.flows.row(sequence)?.responses ?? [];
  }
}
