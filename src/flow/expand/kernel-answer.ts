/**
 * The flows of a query that the kernel's program answered by itself: of both packets, in the order in which they were. There is
 * one record of them, with the answer in it, which repeats its question. The answer is the frontend's, whom the client asked:
 * no pod was at its other end, and none is made up. That the kernel gave it is said in words of the API that stock clients
 * show: the summary of the translation that was not made, and the messages' `observation_source`.
 */
import type { PacketEvent } from '../../datapath/datapath.ts';
import { OBSERVATION_SOURCES } from '../api.ts';
import type { DnsSighting } from '../dns-sighting.ts';
import { kernelAnswerSummary, packetSummary } from '../summary.ts';
import { formatTraceId } from '../trace-id.ts';
import type { DnsPart, FlowPart, Interface } from './flow-builder.ts';

export interface KernelAnswer {
  readonly event: PacketEvent;
  readonly sightings: readonly DnsSighting[];
  /** What the client waited; negative: not known. */
  readonly latencyNs: number;
}

export function kernelAnswerParts(
  { event, sightings, latencyNs }: KernelAnswer,
  at: Interface | undefined,
): readonly FlowPart[] {
  const { source, destination } = event;
  const summary = packetSummary(event.protocol, event.tcpFlags);
  const sighting = sightings.find(({ response }) => response);
  const there = { source, destination, interface: at } as const;
  const back = { source: destination, destination: source, interface: at } as const;
  const sent: readonly FlowPart[] = [
    { kind: 'trace', point: 'from-endpoint', isReply: false, summary, ...there },
    { kind: 'xlate', point: 'pre-fwd', source, destination, summary: kernelAnswerSummary(summary) },
  ];
  const received: FlowPart = { kind: 'trace', point: 'to-endpoint', isReply: true, summary, ...back };
  if (sighting === undefined) return [...sent, received];
  const waitedNs = latencyNs < 0 ? undefined : BigInt(Math.round(latencyNs));
  const message = {
    ...{ kind: 'dns', observer: OBSERVATION_SOURCES.answered, direction: 'EGRESS' },
    traceId: formatTraceId({ client: source.address, port: source.port, id: sighting.id }),
  } as const satisfies Partial<DnsPart>;
  return [
    ...sent,
    { ...message, ...there, sighting: questionOf(sighting), latencyNs: undefined },
    received,
    { ...message, ...back, sighting, latencyNs: waitedNs },
  ];
}

function questionOf({ id, record: { query, qtypes } }: DnsSighting): DnsSighting {
  return { id, response: false, complete: true, record: { query, qtypes } };
}
