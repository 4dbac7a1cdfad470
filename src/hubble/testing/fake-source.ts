/** Test support: an observer whose flows are those it is given, and that remembers what it was asked. */
import { AppError } from '../../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../../flow/api.ts';
import type { FlowLog } from '../../flow/flow-log.ts';
import { parseFlowsRequest, readFlows } from '../../flow/read-flows.ts';
import { FakeFlowLog } from '../../flow/testing/fake-flow-log.ts';
import { sampleFlow } from '../../flow/testing/sample-flow.ts';
import { parseTime } from '../../flow/time.ts';
import { Turns } from '../../flow/turns.ts';
import { systemClock } from '../../telemetry/clock.ts';
import type { ObservedNamespace, ObservedNode, ObserverSource, ObserverStatus } from '../observer-source.ts';

export const SAMPLE_STATUS: ObserverStatus = {
  numFlows: 3,
  maxFlows: 4095,
  seenFlows: 9_007_199_254_740_991,
  uptimeNs: 18_446_744_073_709_551_615n,
  version: '0.1.0',
  flowsRate: 12.5,
};

export const SAMPLE_NODE: ObservedNode = {
  name: 'worker-1',
  version: '0.1.0',
  address: '192.0.2.1:4244',
  state: 'NODE_CONNECTED',
  tls: { enabled: true, serverName: 'worker-1.default.hubble-grpc.cilium.io' },
  ...{ uptimeNs: 5n, numFlows: 3, maxFlows: 4095, seenFlows: 7 },
};

export class FakeSource implements ObserverSource {
  readonly asked: GetFlowsRequest[] = [];
  readonly #log: FakeFlowLog;
  readonly #turns = new Turns();
  /** Thrown by `status` when set. */
  failure: unknown;
  /** Streams whose source has not ended. */
  open = 0;

  constructor(capacity = 4095) {
    this.#log = new FakeFlowLog(capacity);
  }

  get log(): FlowLog {
    return this.#log;
  }

  /** Flows with these summaries, one a second. */
  see(...summaries: readonly string[]): void {
    for (const Summary of summaries) {
      const time = new Date(1_772_532_000_000 + this.#log.next * 1000).toISOString();
      this.push({ flow: sampleFlow({ Summary, time }), node_name: 'worker-1', time });
    }
  }

  push(response: GetFlowsResponse): void {
    this.#log.push({ timeNs: parseTime(response.time) ?? 0n, responses: [response] });
  }

  async *flows(request: GetFlowsRequest, signal: AbortSignal): AsyncGenerator<GetFlowsResponse, void, void> {
    this.asked.push(request);
    const query = parseFlowsRequest(request);
    if (!query.ok) throw new AppError(query.code, `Cannot answer: ${query.reason}`);
    this.open++;
    try {
      const nodeName = 'worker-1';
      yield* readFlows({
        log: this.#log,
        query: query.value,
        nodeName,
        clock: systemClock,
        signal,
        turns: this.#turns,
      });
    } finally {
      this.open--;
    }
  }

  async status(): Promise<ObserverStatus> {
    if (this.failure !== undefined) throw this.failure;
    return SAMPLE_STATUS;
  }

  async nodes(): Promise<readonly ObservedNode[]> {
    return [SAMPLE_NODE];
  }

  async namespaces(): Promise<readonly ObservedNamespace[]> {
    return [{ cluster: 'default', namespace: 'shop' }];
  }
}
