/**
 * What a cached name costs when the kernel answers it at the pod's interface: beside Unbound, beside our own server behind
 * the redirect, and beside an echo that does no more than swap addresses there. Needs root.
 */
import { measureProgramCosts } from '../answers/program-costs.ts';
import { measureSpeeds } from '../answers/speeds.ts';
import { buildStage, ENTRIES } from '../answers/stage.ts';
import { measureStreams } from '../answers/streams.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import type { Bar } from '../verdict.ts';

export const answers: Suite = {
  name: 'answers',
  title: 'Cached names, answered by a server and by the kernel at the interface of the pod that asks',
  needs: ['gcc', 'unbound'],
  run,
};

async function run(bench: Bench): Promise<SuiteReport> {
  if (process.getuid?.() !== 0) return { table: 'Left out: namespaces need root', bars: [] };
  const stage = await buildStage(bench);
  const { tables, bars } = await measureSpeeds(stage);
  const streams = await measureStreams(stage);
  const costs = await measureProgramCosts(stage);
  const megabytes = (await stage.node.wish()).shelfBytes.map((bytes) => bytes / 1e6);
  const memory: Bar = {
    ...{ what: `memory of ${ENTRIES} entries`, limit: 10, bound: 'most', unit: 'MB' },
    rounds: megabytes,
  };
  return {
    table: [...tables, streams.table, costs.table].join('\n\n'),
    bars: [...bars, ...costs.bars, ...streams.bars, memory],
  };
}
