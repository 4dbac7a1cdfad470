/** How many are answered when the server may use a fifth of a processor and far too much is asked. */
import type { Contender } from '../contender.ts';
import { unbound, zerohop } from '../contenders.ts';
import { type CpuLimit, createCpuLimit } from '../cpu-limit.ts';
import { podQuestions } from '../names.ts';
import { type Paced, runPaced } from '../pace.ts';
import { median, ratios, shuffled } from '../statistics.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';

const RATE = 200_000;
const SHARE = 0.2;
const WARM_UP_RATE = 10_000;
const WARM_UP_SECONDS = 4;
const ROUNDS = 3;
const ROUND_SECONDS = 2;
const HEADINGS = ['server', 'offered/s', 'answered/s', 'CPU us/answer', 'p50 us', 'p99 us'];

export const starved: Suite = {
  name: 'starved',
  title: `A fifth of a processor, ${RATE} queries a second offered: how many are answered`,
  needs: ['gcc'],
  run,
};

interface Starved extends Paced {
  readonly answersPerSecond: number;
  readonly cpuMicros: number;
}

async function run(bench: Bench): Promise<SuiteReport> {
  const site = await bench.site();
  const queryFile = bench.writeFile('pod-questions', podQuestions());
  const load = { program: bench.programs.pace, queryFile, signal: bench.signal };
  const specs = [
    await zerohop(site),
    ...(bench.installed.has('unbound')
      ? [await unbound(site), await unbound(site, { name: 'unbound, 4 MB', settings: 'so-rcvbuf: 4m' })]
      : []),
  ];
  const contenders: Contender[] = [];
  for (const spec of specs) {
    const limit = limitFor(bench, spec.name);
    if (limit === undefined) return { table: 'Left out: nothing can be limited here', bars: bars(new Map()) };
    const contender = await bench.start(spec, 'server');
    contenders.push(contender);
    await runPaced({ ...load, port: spec.port, rate: WARM_UP_RATE, seconds: WARM_UP_SECONDS });
    limit.add(contender.pid);
  }
  const runs = new Map(specs.map(({ name }): [string, Starved[]] => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of shuffled(contenders)) {
      const before = contender.cpuNanos();
      const { port, name } = contender.spec;
      const paced = await runPaced({ ...load, port, rate: RATE, seconds: ROUND_SECONDS });
      const cpuMicros = (contender.cpuNanos() - before) / 1000 / paced.answered;
      runs.get(name)?.push({ ...paced, cpuMicros, answersPerSecond: paced.answered / paced.seconds });
    }
  }
  return {
    table: formatTable(
      HEADINGS,
      specs.map(({ name }) => row(name, runs.get(name) ?? [])),
    ),
    bars: bars(runs),
  };
}

/** Removed after the process in it has ended: what was made first is cleaned up last. */
function limitFor(bench: Bench, name: string): CpuLimit | undefined {
  const group = `zerohop-bench-${process.pid}-${name.replace(/\W+/g, '-')}`;
  const limit = createCpuLimit(group, SHARE);
  if (limit !== undefined) bench.onClose(() => limit.remove());
  return limit;
}

function bars(runs: ReadonlyMap<string, readonly Starved[]>) {
  const answers = (name: string) => (runs.get(name) ?? []).map(({ answersPerSecond }) => answersPerSecond);
  return ['unbound', 'unbound, 4 MB'].map((name) => ({
    what: `answered : ${name}`,
    limit: 1,
    bound: 'least' as const,
    unit: '',
    rounds: runs.has(name) ? ratios(answers('zerohop'), answers(name)) : [],
  }));
}

function row(name: string, runs: readonly Starved[]): readonly string[] {
  const middle = (of: (run: Starved) => number) => median(runs.map(of));
  return [
    name,
    middle(({ sent, seconds }) => sent / seconds).toFixed(0),
    middle(({ answersPerSecond }) => answersPerSecond).toFixed(0),
    figure(middle(({ cpuMicros }) => cpuMicros)),
    figure(middle(({ p50 }) => p50)),
    figure(middle(({ p99 }) => p99)),
  ];
}
