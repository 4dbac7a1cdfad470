/**
 * Act 4: the same question, answered by the cache and then by the kernel. What the client waits for is measured at its
 * socket, and what of that is the node's own at its interface.
 */
import { endpointPod, type Flow, isKernelAnswered } from '../../flow/api.ts';
import type { LoadResult } from '../load/query-load.ts';
import { answerFailures, askAndJudge } from './act-one.ts';
import { wishAnswers } from './kernel-answers.ts';
import { type Act, CLIENT, heading, indent, type Stage } from './stage.ts';
import { startLoad } from './start-load.ts';

const RATE = 200;
const LOAD_SECONDS = 1;

interface Way {
  readonly name: string;
  /** Milliseconds: medians of what the client waited for, and of what passed between query and answer at its interface. */
  readonly atClient: number;
  readonly atInterface: number;
  readonly byKernel: number;
}

export const actFour: Act = async (stage) => {
  const { say } = stage;
  say(heading('Act 4  The kernel answers: a cached name costs no process a wake-up'));
  const cache = await measure(stage, 'the cache');
  await wishAnswers(stage, 'as others');
  const { answer, verdict } = await askAndJudge(stage);
  say(indent(verdict.evidence));
  const kernel = await measure(stage, 'the kernel');
  say(`  ${RATE} queries within a second from netshoot, answered by each:`);
  for (const way of [cache, kernel]) say(indent(wayLine(way)));
  return [
    ...answerFailures(answer),
    ...(verdict.served === 'kernel' ? [] : [`the kernel should have answered: ${verdict.evidence}`]),
    ...(cache.byKernel === 0
      ? []
      : [`the kernel answered ${cache.byKernel} queries of a pod that may not be answered`]),
    ...(kernel.byKernel >= RATE * LOAD_SECONDS * 0.9
      ? []
      : [`the kernel should have answered the load: ${kernel.byKernel} queries`]),
    ...(kernel.atInterface < cache.atInterface ? [] : ['an answer of the kernel should be the faster one']),
  ];
};

async function measure(stage: Stage, name: string): Promise<Way> {
  stage.tap.mark();
  const results = await startLoad(RATE, LOAD_SECONDS);
  const flows = await stage.tap.settled();
  return {
    name,
    atClient: median(results.flatMap(({ tookMs }: LoadResult) => tookMs ?? [])),
    atInterface: median(flows.flatMap(latencyMs)),
    byKernel: flows.filter((flow) => isAnswerToClient(flow) && isKernelAnswered(flow)).length,
  };
}

function isAnswerToClient(flow: Flow): boolean {
  return flow.l7?.type === 'RESPONSE' && endpointPod(flow.destination) === CLIENT;
}

function latencyMs(flow: Flow): readonly number[] {
  const latency = isAnswerToClient(flow) ? flow.l7?.latency_ns : undefined;
  return latency === undefined ? [] : [Number(latency) / 1e6];
}

function wayLine({ name, atClient, atInterface }: Way): string {
  const micros = (ms: number) => `${(ms * 1000).toFixed(1)} us`.padStart(11);
  return `${name.padEnd(11)} p50 at the client's socket ${micros(atClient)}, at its interface ${micros(atInterface)}`;
}

/** NaN when there is none. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
