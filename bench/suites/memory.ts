/** What the process holds, at rest, when empty, with 10,000 names and with 100,000; and what it held at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender, Memory } from '../contender.ts';
import { unbound, zerohop } from '../contenders.ts';
import { runLoad } from '../load.ts';
import { questions, uniqueNames } from '../names.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';
import type { Bar } from '../verdict.ts';

const SMALL = 10_000;
const LARGE = 100_000;
/** As a node's pods might at their worst, not as fast as can be: what is measured is the cache, not a storm. */
const FILL_RATE = 10_000;
/** A server that has come to rest gives back what filling it took; it sees to that every twenty seconds at most. */
const REST_MS = 26_000;
const HEADINGS = [
  'server',
  'names',
  'in cache',
  'at once MB',
  'resident MB',
  'proportional MB',
  'anonymous MB',
  'above empty MB',
];

export const memory: Suite = {
  name: 'memory',
  title: 'Memory of the process: empty, with 10,000 names, with 100,000',
  needs: ['gcc', 'dnsperf'],
  run,
};

interface Stage extends Memory {
  readonly server: string;
  readonly names: number;
  readonly cached: number | undefined;
  /** Resident before the server has come to rest. */
  readonly atOnceMb: number;
}

async function run(bench: Bench): Promise<SuiteReport> {
  const site = await bench.site();
  const roomy = 'success 131072';
  const settings = 'msg-cache-size: 64m\n  rrset-cache-size: 128m';
  const specs = [
    await zerohop(site, { cache: roomy }),
    ...(bench.installed.has('unbound') ? [await unbound(site, { settings })] : []),
  ];
  const stages: Stage[] = [];
  for (const spec of specs) stages.push(...(await fill(bench, await bench.start(spec, 'anywhere'))));
  const own = stages.filter(({ server }) => server === 'zerohop');
  return {
    table: formatTable(
      HEADINGS,
      stages.map((stage) => row(stage, stages)),
    ),
    bars: bars(own),
  };
}

async function fill(bench: Bench, contender: Contender): Promise<readonly Stage[]> {
  const stages: Stage[] = [];
  const names = uniqueNames('mem', LARGE);
  let asked = 0;
  for (const count of [0, SMALL, LARGE]) {
    if (count > 0) {
      const queryFile = bench.writeFile('fill', questions(names.slice(asked, count), ['A']));
      await runLoad(contender, { queryFile, rate: FILL_RATE, signal: bench.signal });
    }
    asked = count;
    const { name, metrics } = contender.spec;
    const cached = metrics === undefined ? undefined : await cachedEntries(metrics);
    const atOnceMb = contender.memory().residentMb;
    if (metrics !== undefined) await sleep(REST_MS, undefined, { signal: bench.signal });
    stages.push({ server: name, names: count, cached, atOnceMb, ...contender.memory() });
  }
  return stages;
}

async function cachedEntries(port: number): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Array.from(page.matchAll(/^coredns_cache_entries\{.*\} (\d+)/gm)).reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

function row(stage: Stage, all: readonly Stage[]): readonly string[] {
  const empty = all.find(({ server, names }) => server === stage.server && names === 0);
  return [
    stage.server,
    String(stage.names),
    stage.cached === undefined ? '-' : String(stage.cached),
    figure(stage.atOnceMb),
    figure(stage.residentMb),
    figure(stage.proportionalMb),
    figure(stage.anonymousMb),
    figure(stage.residentMb - (empty?.residentMb ?? Number.NaN)),
  ];
}

function bars(own: readonly Stage[]): readonly Bar[] {
  const resident = (count: number) => own.find(({ names }) => names === count)?.residentMb ?? Number.NaN;
  return [
    { what: 'resident with 10,000 names', limit: 90, bound: 'most', unit: 'MB', rounds: [resident(SMALL)] },
    {
      what: '100,000 names above empty',
      limit: 40,
      bound: 'most',
      unit: 'MB',
      rounds: [resident(LARGE) - resident(0)],
    },
  ];
}
