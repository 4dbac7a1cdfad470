/** A node's own answers to Hubble's questions: what its log of packets holds, and how it does. */
import { AppError } from '../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import type { PacketLog } from '../flow/capture/packet-log.ts';
import type { NarrowOptions } from '../flow/filter/narrow.ts';
import { type FlowLog, NO_FLOWS } from '../flow/flow-log.ts';
import { parseFlowsRequest, readFlows } from '../flow/read-flows.ts';
import type { Turns } from '../flow/turns.ts';
import { HUBBLE_ERRORS, type HubbleErrorCode } from '../hubble/errors.ts';
import type { ObservedNode, ObserverSource, ObserverStatus } from '../hubble/observer-source.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { AgentEventLog } from './observer/agent-event-log.ts';
import { FlowRate } from './observer/flow-rate.ts';
import { SeenNamespaces } from './observer/seen-namespaces.ts';

export interface NodeObserverOptions {
  readonly nodeName: string;
  readonly version: string;
  /** Absent: this node records nothing. */
  readonly recorded?: RecordedNode;
  /** Shared by all readers of the process. */
  readonly turns: Turns;
  readonly clock: Clock;
  /** Default: `default`, Cilium's name for a cluster nobody named. */
  readonly clusterName?: string;
  /** At which others reach this node's API; empty while nobody knows. Absent: they do not. */
  readonly address?: () => string;
  /** The name in its certificate when it has one. */
  readonly tlsServerName?: string;
  /** What conditions of our own need to know. */
  readonly narrowing?: NarrowOptions;
  /** Absent: nobody notes what the agent does. */
  readonly events?: AgentEventLog;
}

export interface RecordedNode {
  readonly packets: Pick<PacketLog, 'at' | 'capacity' | 'flowsHeld' | 'flowsEver'>;
  /** The recorder's. */
  readonly flows: FlowLog;
}

export interface NodeObserver extends ObserverSource {
  /** Stops its timer. */
  close(): void;
}

const NS_PER_MS = 1_000_000;

export function createNodeObserver(options: NodeObserverOptions): NodeObserver {
  const { nodeName, version, turns, clock, narrowing, events } = options;
  const { packets, flows } = options.recorded ?? NOTHING;
  const startedMs = clock.monotonicMs();
  const rate = new FlowRate(clock, () => packets.flowsEver);
  const namespaces = new SeenNamespaces({
    ...{ packets, flows, turns, clusterName: options.clusterName ?? 'default' },
    nowMs: () => clock.nowMs(),
  });
  const counts = () => ({
    numFlows: packets.flowsHeld,
    maxFlows: packets.capacity,
    seenFlows: packets.flowsEver,
    uptimeNs: BigInt(Math.round((clock.monotonicMs() - startedMs) * NS_PER_MS)),
  });
  return {
    async *flows(
      request: GetFlowsRequest,
      signal: AbortSignal,
      client?: string,
    ): AsyncGenerator<GetFlowsResponse, void, void> {
      if (options.recorded === undefined) throw recordsNothing(nodeName);
      const query = parseFlowsRequest(request, narrowing);
      if (!query.ok) {
        throw new AppError(query.code, `Cannot answer the request for flows: ${query.reason ?? query.code}`);
      }
      yield* readFlows({
        ...{ log: flows, query: query.value, nodeName, clock, signal, turns },
        ...(client === undefined ? {} : { client }),
      });
    },
    status: async (): Promise<ObserverStatus> => ({ ...counts(), version, flowsRate: rate.perSecond() }),
    nodes: async () => [nodeOf(options, counts())],
    namespaces: () => namespaces.list(),
    ...(events && { agentEvents: (request, signal) => events.read(request, signal) }),
    close: () => rate.close(),
  };
}

const NOTHING: RecordedNode = {
  packets: { at: () => undefined, capacity: 0, flowsHeld: 0, flowsEver: 0 },
  flows: NO_FLOWS,
};

/** An empty answer would look as if nothing had happened. */
function recordsNothing(nodeName: string): AppError {
  const code: HubbleErrorCode = 'HUBBLE_NOT_RECORDING';
  return new AppError(code, `Cannot give flows: the agent records none: received ${nodeName}`, {
    hint: HUBBLE_ERRORS[code].cure,
  });
}

/** Cilium's node does not answer this; the page of Hubble wants it (spec hubble 6.6). */
function nodeOf(
  options: NodeObserverOptions,
  counts: Omit<ObserverStatus, 'version' | 'flowsRate'>,
): ObservedNode {
  const { nodeName, version, address, tlsServerName } = options;
  return {
    ...{ name: nodeName, version, address: address?.() ?? '', state: 'NODE_CONNECTED' },
    ...{ numFlows: counts.numFlows, maxFlows: counts.maxFlows, seenFlows: counts.seenFlows },
    uptimeNs: counts.uptimeNs,
    ...(tlsServerName === undefined ? {} : { tls: { enabled: true, serverName: tlsServerName } }),
  };
}
