/** Whether cached answers notice what the main thread is doing: 2 MB of JSON every 50 ms from the Kubernetes API. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type BusyApi, startBusyApi } from '../busy-api.ts';
import type { Contender } from '../contender.ts';
import { zerohop } from '../contenders.ts';
import { existingNames, questions } from '../names.ts';
import { type Paced, runPaced } from '../pace.ts';
import { median, ratios } from '../statistics.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';

const RATE = 10_000;
const WARM_UP_SECONDS = 4;
const ROUNDS = 4;
const ROUND_SECONDS = 3;
/** Until what is under way has been worked through. */
const CALM_MS = 500;
const HEADINGS = [
  'server, watch',
  'p50 us',
  'p99 us',
  'p99.9 us',
  'max us',
  'CPU ms/s',
  'watch MB/s',
  'unanswered',
];

export const churn: Suite = {
  name: 'churn',
  title: `Cached answers at ${RATE} queries a second, while the watch rests and while it delivers 40 MB a second`,
  needs: ['gcc'],
  run,
};

interface Churned extends Paced {
  /** Of zerohop, also where others were asked. */
  readonly cpuShare: number;
  readonly deliveredMbPerSecond: number;
}

async function run(bench: Bench): Promise<SuiteReport> {
  const site = await bench.site();
  const api = await startBusyApi(bench);
  const plugins = `kubernetes cluster.local {\n        endpoint ${api.url}\n    }`;
  const own = await bench.start(await zerohop(site, { plugins }), 'anywhere');
  const echo = await bench.start(await bench.cServer('echo'), 'anywhere');
  // Names that the upstream answers: what the watch tells may purge none of them.
  const queryFile = bench.writeFile('names', questions(existingNames(), ['A', 'AAAA']));
  const load = { program: bench.programs.pace, queryFile, rate: RATE, signal: bench.signal };
  const measure = (server: Contender, busy: boolean): Promise<Churned> =>
    watched({ api, own, busy }, () => runPaced({ ...load, port: server.spec.port, seconds: ROUND_SECONDS }));
  for (const { spec } of [own, echo]) await runPaced({ ...load, port: spec.port, seconds: WARM_UP_SECONDS });
  await api.deliver(true);
  await runPaced({ ...load, port: own.spec.port, seconds: WARM_UP_SECONDS });
  const cases = [own, echo].flatMap((server) =>
    [false, true].map((busy) => ({ server, busy, runs: [] as Churned[] })),
  );
  for (let round = 0; round < ROUNDS; round++) {
    for (const { server, busy, runs } of cases) runs.push(await measure(server, busy));
  }
  const [quiet, busy] = cases.map(({ runs }) => runs.map(({ p999 }) => p999));
  return {
    table: formatTable(
      HEADINGS,
      cases.map(({ server, busy, runs }) => row(`${server.spec.name}, ${busy ? 'busy' : 'quiet'}`, runs)),
    ),
    bars: [
      {
        what: 'p99.9 busy : quiet',
        limit: 3,
        bound: 'most',
        unit: '',
        rounds: ratios(busy ?? [], quiet ?? []),
      },
    ],
    notes: [
      'The rows of the echo are asked while zerohop does the work: what the processors alone cost anybody',
    ],
  };
}

interface Watched {
  readonly api: BusyApi;
  readonly own: Contender;
  readonly busy: boolean;
}

async function watched({ api, own, busy }: Watched, run: () => Promise<Paced>): Promise<Churned> {
  await api.deliver(busy);
  await sleep(CALM_MS);
  const cpuBefore = own.cpuNanos();
  const sentBefore = await api.deliver(busy);
  const began = performance.now();
  const paced = await run();
  const seconds = (performance.now() - began) / 1000;
  const sent = (await api.deliver(false)) - sentBefore;
  return {
    ...paced,
    cpuShare: (own.cpuNanos() - cpuBefore) / 1e9 / seconds,
    deliveredMbPerSecond: sent / 1e6 / seconds,
  };
}

function row(name: string, runs: readonly Churned[]): readonly string[] {
  const middle = (of: (run: Churned) => number) => figure(median(runs.map(of)));
  return [
    name,
    middle(({ p50 }) => p50),
    middle(({ p99 }) => p99),
    middle(({ p999 }) => p999),
    middle(({ max }) => max),
    middle(({ cpuShare }) => cpuShare * 1000),
    middle(({ deliveredMbPerSecond }) => deliveredMbPerSecond),
    String(runs.reduce((sum, { sent, answered }) => sum + sent - answered, 0)),
  ];
}
