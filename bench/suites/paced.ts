/** How long answers from the cache take when there is little to do: 5,000 queries a second, whatever the server does. */
import { unbound, zerohop } from '../contenders.ts';
import { podQuestions } from '../names.ts';
import { type Paced, runPaced } from '../pace.ts';
import { median, ratios, shuffled } from '../statistics.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';

const RATE = 5_000;
const WARM_UP_SECONDS = 4;
const ROUNDS = 6;
const ROUND_SECONDS = 3;
const HEADINGS = ['server', 'p50 us', 'p99 us', 'p99.9 us', 'max us', 'max, worst', 'unanswered'];

export const paced: Suite = {
  name: 'paced',
  title: `Cached answers at ${RATE} queries a second: how long they take`,
  needs: ['gcc'],
  run,
};

async function run(bench: Bench): Promise<SuiteReport> {
  const site = await bench.site();
  const queryFile = bench.writeFile('pod-questions', podQuestions());
  const specs = [
    await bench.cServer('echo'),
    await zerohop(site),
    ...(bench.installed.has('unbound') ? [await unbound(site)] : []),
  ];
  const load = { program: bench.programs.pace, queryFile, rate: RATE, signal: bench.signal };
  const runs = new Map(specs.map(({ name }): [string, Paced[]] => [name, []]));
  for (const spec of specs) {
    await bench.start(spec, 'anywhere');
    await runPaced({ ...load, port: spec.port, seconds: WARM_UP_SECONDS });
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, port } of shuffled(specs)) {
      runs.get(name)?.push(await runPaced({ ...load, port, seconds: ROUND_SECONDS }));
    }
  }
  const compare = (what: string, of: (run: Paced) => number) => ({
    what: `${what} : unbound`,
    limit: 1,
    bound: 'most' as const,
    unit: '',
    rounds: runs.has('unbound')
      ? ratios((runs.get('zerohop') ?? []).map(of), (runs.get('unbound') ?? []).map(of))
      : [],
  });
  return {
    table: formatTable(
      HEADINGS,
      specs.map(({ name }) => row(name, runs.get(name) ?? [])),
    ),
    bars: [compare('p99', ({ p99 }) => p99), compare('p99.9', ({ p999 }) => p999)],
  };
}

function row(name: string, runs: readonly Paced[]): readonly string[] {
  const middle = (of: (run: Paced) => number) => figure(median(runs.map(of)));
  return [
    name,
    middle(({ p50 }) => p50),
    middle(({ p99 }) => p99),
    middle(({ p999 }) => p999),
    middle(({ max }) => max),
    figure(Math.max(...runs.map(({ max }) => max))),
    String(runs.reduce((sum, { sent, answered }) => sum + sent - answered, 0)),
  ];
}
