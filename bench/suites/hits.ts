/** What an answer from the cache costs under full load, in processor time of the server. */
import type { Contender } from '../contender.ts';
import { dnsdist, unbound, zerohop } from '../contenders.ts';
import { type Run, runLoad } from '../load.ts';
import { podQuestions } from '../names.ts';
import { median, ratios, shuffled } from '../statistics.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';
import type { Bar } from '../verdict.ts';

/** Long enough for the compiler to have seen the hot path: shorter, and its work is counted as the server's. */
const WARM_UP_SECONDS = 3;
const ROUNDS = 10;
const ROUND_SECONDS = 1;
/** `node-cache` needed 11.5 us where Unbound needed 1.8: it cannot be installed from Debian. */
const NODE_CACHE = 11.5 / 1.8;
const HEADINGS = [
  'server',
  'CPU us/answer',
  'least',
  ': echo',
  ': unbound',
  ': dnsdist',
  'answers/s',
  'lost',
];

export const hits: Suite = {
  name: 'hits',
  title: 'Cached answers, as many as the server can give: processor time per answer',
  needs: ['gcc', 'dnsperf'],
  run,
};

async function run(bench: Bench): Promise<SuiteReport> {
  const site = await bench.site();
  const queryFile = bench.writeFile('pod-questions', podQuestions());
  const { signal } = bench;
  const specs = [
    await bench.cServer('echo'),
    await zerohop(site),
    await zerohop(site, { name: 'zerohop, dgram', flags: ['-packet-threads', '0'] }),
    ...(bench.installed.has('unbound') ? [await unbound(site)] : []),
    ...(bench.installed.has('dnsdist') ? [await dnsdist(site)] : []),
  ];
  const contenders: Contender[] = [];
  for (const spec of specs) {
    const contender = await bench.start(spec, 'server');
    contenders.push(contender);
    await runLoad(contender, { queryFile, seconds: WARM_UP_SECONDS, signal });
  }
  const asked = site.authority.cpuNanos();
  const runs = new Map(contenders.map((contender): [string, Run[]] => [contender.spec.name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of shuffled(contenders)) {
      runs
        .get(contender.spec.name)
        ?.push(await runLoad(contender, { queryFile, seconds: ROUND_SECONDS, signal }));
    }
  }
  const upstreamMs = (site.authority.cpuNanos() - asked) / 1e6;
  return {
    table: formatTable(
      HEADINGS,
      specs.map(({ name }) => row(name, runs)),
    ),
    bars: bars((name) => costs(runs, name)),
    notes: [
      `While hits were measured the upstream worked for ${figure(upstreamMs)} ms: all came from caches`,
    ],
  };
}

type Runs = ReadonlyMap<string, readonly Run[]>;

function costs(runs: Runs, name: string): readonly number[] {
  return (runs.get(name) ?? []).map(({ cpuMicros }) => cpuMicros);
}

function row(name: string, runs: Runs): readonly string[] {
  const own = costs(runs, name);
  const beside = (other: string) => figure(median(ratios(own, costs(runs, other))));
  const all = runs.get(name) ?? [];
  return [
    name,
    figure(median(own)),
    figure(Math.min(...own)),
    beside('C echo'),
    beside('unbound'),
    beside('dnsdist'),
    median(all.map(({ queriesPerSecond }) => queriesPerSecond)).toFixed(0),
    String(all.reduce((sum, { lost }) => sum + lost, 0)),
  ];
}

function bars(cost: (name: string) => readonly number[]): readonly Bar[] {
  const own = cost('zerohop');
  const atMost = (what: string, limit: number, above: readonly number[], peer: string): Bar => ({
    what,
    limit,
    bound: 'most',
    unit: '',
    rounds: cost(peer).length === 0 ? [] : ratios(above, cost(peer)),
  });
  const nodeCache = (from: readonly number[]) =>
    ratios(
      from,
      cost('unbound').map((value) => value * NODE_CACHE),
    );
  return [
    atMost('CPU : unbound', 0.8, own, 'unbound'),
    atMost('CPU : dnsdist', 0.9, own, 'dnsdist'),
    atMost('CPU : C echo', 1.3, own, 'C echo'),
    {
      what: `node-cache (${figure(NODE_CACHE)} x unbound) : zerohop`,
      limit: 6,
      bound: 'least',
      unit: '',
      rounds: nodeCache(own).map((ratio) => 1 / ratio),
    },
    {
      what: 'zerohop, dgram : node-cache',
      limit: 0.4,
      bound: 'most',
      unit: '',
      rounds: nodeCache(cost('zerohop, dgram')),
    },
  ];
}
