/** What the agent's metrics page shows, from the numbers that are counted elsewhere. */
import type { Datapath } from '../datapath/datapath.ts';
import type { PacketLog } from '../flow/capture/packet-log.ts';
import { flowFamilies } from '../flow/flow-metrics.ts';
import type { FlowRecorder } from '../flow/flow-recorder.ts';
import { processMetrics } from '../telemetry/process-metrics.ts';
import type { FamilySamples, Sample } from '../telemetry/registry.ts';
import type { AnswersReport } from './answers/answers-report.ts';

export interface AgentMetricsInput {
  readonly datapath: Datapath;
  /** Absent: no flows are recorded. */
  readonly recorder: FlowRecorder | undefined;
  readonly packets: PacketLog | undefined;
  /** Absent, or off: the kernel answers nothing. */
  readonly answers?: AnswersReport | undefined;
}

export function agentFamilies(input: AgentMetricsInput): readonly FamilySamples[] {
  const { datapath, recorder, packets, answers } = input;
  const counters = datapath.counters();
  const flows =
    recorder === undefined
      ? []
      : flowFamilies({ ...recorder, lost: Number(counters.eventsLost), podOf: recorder.podOf });
  return [
    ...flows,
    ...datapathFamilies(datapath),
    ...answerFamilies(datapath, answers),
    ...logFamilies(packets),
    ...processMetrics(),
  ];
}

function datapathFamilies(datapath: Datapath): readonly FamilySamples[] {
  const { redirected, restored, fellBack, spoofed } = datapath.counters();
  const reasons = Object.entries(fellBack).map(([reason, count]) => one(Number(count), { reason }));
  const states = new Map<string, number>();
  for (const { status } of datapath.frontends())
    states.set(status.state, (states.get(status.state) ?? 0) + 1);
  return [
    counter('zerohop_redirected_packets_total', 'Packets sent to a backend on this node', [
      one(Number(redirected)),
    ]),
    counter('zerohop_restored_packets_total', "Answers that were given the frontend's address", [
      one(Number(restored)),
    ]),
    counter(
      'zerohop_fell_back_packets_total',
      'Packets of redirected frontends left alone, by reason',
      reasons,
    ),
    counter('zerohop_spoofed_packets_total', "Packets whose source was not the sender's own, left alone", [
      one(Number(spoofed ?? 0n)),
    ]),
    gauge(
      'zerohop_frontends',
      'Redirected frontends, by how far they are in the kernel',
      [...states].map(([state, count]) => one(count, { state })),
    ),
  ];
}

function answerFamilies(datapath: Datapath, answers: AnswersReport | undefined): readonly FamilySamples[] {
  const shelves = answers?.on === true ? answers.shelves : [];
  const { answered, answersMissed, answersTorn } = datapath.counters();
  const sizes = ['small', 'large'] as const;
  const perShelf = (count: (shelf: AnswersReport['shelves'][number], size: 'small' | 'large') => number) =>
    shelves.flatMap((shelf) =>
      sizes.map((size) => one(count(shelf, size), { shelf: String(shelf.number), size })),
    );
  return [
    counter('zerohop_answered_packets_total', 'Queries that the kernel answered by itself', [
      one(Number(answered)),
    ]),
    counter('zerohop_missed_answers_total', 'Queries it might have answered, but had no answer to', [
      one(Number(answersMissed)),
    ]),
    counter(
      'zerohop_torn_answers_total',
      'Queries whose answer was taken out meanwhile: they went on to the server, or were dropped if half rewritten',
      [one(Number(answersTorn))],
    ),
    gauge(
      'zerohop_shelf_entries',
      'Places in use by answers, expired ones among them, by the shelf of the cache they are from',
      perShelf(({ used }, size) => used?.[size] ?? 0),
    ),
    gauge(
      'zerohop_shelf_capacity',
      'Answers there is room for',
      perShelf(({ room }, size) => room[size]),
    ),
  ];
}

function logFamilies(packets: PacketLog | undefined): readonly FamilySamples[] {
  if (packets === undefined) return [];
  return [
    gauge('zerohop_flows_held', 'Flows that can be looked at', [one(packets.flowsHeld)]),
    gauge('zerohop_flows_capacity', 'Flows there is room for', [one(packets.capacity)]),
  ];
}

function counter(name: string, help: string, samples: readonly Sample[]): FamilySamples {
  return { name, help, kind: 'counter', samples };
}

function gauge(name: string, help: string, samples: readonly Sample[]): FamilySamples {
  return { name, help, kind: 'gauge', samples };
}

function one(value: number, labels: Readonly<Record<string, string>> = {}): Sample {
  return { suffix: '', labels, value };
}
