/**
 * Whether two packet threads do twice the work of one. A load generator on the same two processors would take what the
 * second thread needs, so it is not there while they work: see `c/drain.c`.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Contender } from '../contender.ts';
import { unbound, zerohop } from '../contenders.ts';
import { podQuestions } from '../names.ts';
import { runPaced } from '../pace.ts';
import { processorCount } from '../processors.ts';
import { median, quantile, ratios, shuffled } from '../statistics.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';

/** They must fit into one socket's queue: a small packet takes 768 bytes of it, the queue has twice what is asked for. */
const QUERIES = 3_000;
const BUFFER_BYTES = 4_194_304;
/** Many clients, so that the kernel spreads them evenly over two sockets. */
const SOCKETS = 256;
const DRAINS = 6;
const ROUNDS = 6;
const WARM_UP_RATE = 10_000;
const WARM_UP_SECONDS = 4;
const HEADINGS = ['server', 'answers/s', 'best', ': one thread', 'unanswered'];

export const workers: Suite = {
  name: 'workers',
  title: 'A full queue and no load generator: how much faster two threads empty it than one',
  needs: ['gcc'],
  run,
};

interface Drained {
  /** Answers, and answers per second between the first and the last. */
  readonly rates: readonly (readonly [count: number, rate: number])[];
}

async function run(bench: Bench): Promise<SuiteReport> {
  const site = await bench.site();
  const queryFile = bench.writeFile('pod-questions', podQuestions());
  const own = (threads: number) => ({
    name: `zerohop, ${threads}`,
    flags: ['-packet-threads', String(threads), '-udp-buffer', String(BUFFER_BYTES)],
  });
  const peer = (threads: number) => ({ name: `unbound, ${threads}`, threads, settings: 'so-rcvbuf: 4m' });
  const specs = [await zerohop(site, own(1)), await zerohop(site, own(2))];
  if (bench.installed.has('unbound')) specs.push(await unbound(site, peer(1)), await unbound(site, peer(2)));
  for (const threads of [1, 2]) {
    specs.push({ ...(await bench.cServer('echo', threads)), name: `C echo, ${threads}` });
  }
  const contenders: Contender[] = [];
  for (const spec of specs) {
    contenders.push(await bench.start(spec, 'anywhere'));
    const load = { program: bench.programs.pace, queryFile, signal: bench.signal };
    await runPaced({ ...load, port: spec.port, rate: WARM_UP_RATE, seconds: WARM_UP_SECONDS });
    await drain(bench, contenders.at(-1), queryFile);
  }
  const rates = new Map(specs.map(({ name }): [string, number[]] => [name, []]));
  const missing = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of shuffled(contenders)) {
      const { name } = contender.spec;
      const drained = await drain(bench, contender, queryFile);
      rates.get(name)?.push(
        quantile(
          drained.map(([, rate]) => rate),
          0.75,
        ),
      );
      missing.set(
        name,
        drained.reduce((sum, [count]) => sum + QUERIES - count, missing.get(name) ?? 0),
      );
    }
  }
  const scaling = (name: string) => ratios(rates.get(`${name}, 2`) ?? [], rates.get(`${name}, 1`) ?? []);
  const row = (name: string): readonly string[] => [
    name,
    median(rates.get(name) ?? []).toFixed(0),
    Math.max(...(rates.get(name) ?? [])).toFixed(0),
    name.endsWith('2') ? figure(median(scaling(name.slice(0, -3)))) : '-',
    String(missing.get(name) ?? 0),
  ];
  return {
    table: formatTable(
      HEADINGS,
      specs.map(({ name }) => row(name)),
    ),
    bars: [
      {
        what: 'two packet threads : one',
        limit: 1.7,
        bound: 'least',
        unit: '',
        rounds: processorCount() > 1 ? scaling('zerohop') : [],
      },
    ],
  };
}

/** One pair per emptied queue. */
async function drain(
  bench: Bench,
  contender: Contender | undefined,
  queryFile: string,
): Promise<Drained['rates']> {
  bench.signal.throwIfAborted();
  if (contender === undefined) return [];
  const args = [contender.spec.port, contender.pid, QUERIES, SOCKETS, DRAINS, queryFile].map(String);
  const { stdout } = await promisify(execFile)(bench.programs.drain, args, { signal: bench.signal });
  return (JSON.parse(stdout) as Drained).rates;
}
