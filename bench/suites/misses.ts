/** What a query costs that has to be forwarded: names that nobody asked for before, all to the same upstream. */
import type { Contender } from '../contender.ts';
import { unbound, zerohop } from '../contenders.ts';
import { type Run, runLoad } from '../load.ts';
import { questions, uniqueNames } from '../names.ts';
import { median, ratios, shuffled } from '../statistics.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';

const ROUNDS = 6;
const NAMES_PER_ROUND = 15_000;
/** The main thread's code is compiled by then. */
const WARM_UP_ROUNDS = 2;
const HEADINGS = ['server', 'CPU us/forwarded', 'least', ': unbound', 'answers/s', 'lost'];

export const misses: Suite = {
  name: 'misses',
  title: 'Names asked for the first time: processor time of the cache alone per forwarded query',
  needs: ['gcc', 'dnsperf'],
  run,
};

async function run(bench: Bench): Promise<SuiteReport> {
  const site = await bench.site();
  const specs = [await zerohop(site), ...(bench.installed.has('unbound') ? [await unbound(site)] : [])];
  const contenders: Contender[] = [];
  for (const spec of specs) contenders.push(await bench.start(spec, 'server'));
  const runs = new Map(specs.map(({ name }): [string, Run[]] => [name, []]));
  const upstream: number[] = [];
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    const prefix = `round${round + WARM_UP_ROUNDS}`;
    const queryFile = bench.writeFile('misses', questions(uniqueNames(prefix, NAMES_PER_ROUND), ['A']));
    for (const contender of shuffled(contenders)) {
      const before = site.authority.cpuNanos();
      const run = await runLoad(contender, { queryFile, signal: bench.signal });
      if (round < 0) continue;
      runs.get(contender.spec.name)?.push(run);
      upstream.push((site.authority.cpuNanos() - before) / 1000 / NAMES_PER_ROUND);
    }
  }
  const costs = (name: string) => (runs.get(name) ?? []).map(({ cpuMicros }) => cpuMicros);
  const row = (name: string): readonly string[] => [
    name,
    figure(median(costs(name))),
    figure(Math.min(...costs(name))),
    figure(median(ratios(costs(name), costs('unbound')))),
    median((runs.get(name) ?? []).map(({ queriesPerSecond }) => queriesPerSecond)).toFixed(0),
    String((runs.get(name) ?? []).reduce((sum, { lost }) => sum + lost, 0)),
  ];
  return {
    table: formatTable(
      HEADINGS,
      specs.map(({ name }) => row(name)),
    ),
    bars: [
      {
        what: 'CPU : unbound',
        limit: 1,
        bound: 'most',
        unit: '',
        rounds: runs.has('unbound') ? ratios(costs('zerohop'), costs('unbound')) : [],
      },
    ],
    notes: [`The upstream needed ${figure(median(upstream))} us per query, beside the load generator`],
  };
}
