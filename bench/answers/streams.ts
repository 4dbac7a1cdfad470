/** One TCP stream between two pods of the node: what our programs at their interfaces take of it, with answers and without. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { median, ratios, shuffled } from '../statistics.ts';
import { figure, formatTable } from '../table.ts';
import type { Bar } from '../verdict.ts';
import { type Stage, specOf } from './stage.ts';

const ROUNDS = 10;
const SECONDS = 0.4;
const PORT = '5001';
const WAYS = ['none', 'redirect', 'answer'] as const;
type Programs = (typeof WAYS)[number];
const NAMES = { none: 'no programs', redirect: 'answers off', answer: 'answers on' };
/** What is lost in the noise. */
const LEAST = 0.95;

export interface Streams {
  readonly table: string;
  readonly bars: readonly Bar[];
}

export async function measureStreams(stage: Stage): Promise<Streams> {
  const { network, server, bench } = stage;
  const child = network.spawn(server.netns, bench.programs.stream, 'serve', server.address, PORT);
  if (child.stdout === null) throw new Error('The receiver has no pipes');
  await once(child.stdout, 'data', { signal: bench.signal });
  const runs = new Map(WAYS.map((programs): [Programs, Stream[]] => [programs, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const programs of shuffled(WAYS)) {
      await stage.node.wish({ spec: specOf(stage, programs), flows: true });
      runs.get(programs)?.push(await stream(stage));
    }
  }
  await network.kill(child);
  const of = (programs: Programs, pick: (one: Stream) => number) => (runs.get(programs) ?? []).map(pick);
  const bar = (what: string, pick: (one: Stream) => number, below: Programs): Bar => ({
    ...{ what: `TCP: ${what}, ${NAMES.answer} : ${NAMES[below]}`, limit: LEAST, bound: 'least', unit: '' },
    rounds: ratios(of('answer', pick), of(below, pick)),
  });
  return {
    table: formatTable(
      ['one TCP stream', 'Gbit/s', 'least', 'most', 'Gbit/CPU s'],
      WAYS.map((programs) => {
        const rates = of(programs, perSecond);
        const figures = [median(rates), Math.min(...rates), Math.max(...rates)];
        return [NAMES[programs], ...[...figures, median(of(programs, perCpuSecond))].map(figure)];
      }),
    ),
    bars: [
      bar('Gbit/s', perSecond, 'redirect'),
      bar('Gbit/CPU s', perCpuSecond, 'redirect'),
      bar('Gbit/CPU s', perCpuSecond, 'none'),
    ],
  };
}

interface Stream {
  readonly bytes: number;
  readonly seconds: number;
  /** Of sender and receiver. */
  readonly cpuNanos: number;
}

function perSecond({ bytes, seconds }: Stream): number {
  return (bytes * 8) / 1e9 / seconds;
}

/** What a busy machine changes little. */
function perCpuSecond({ bytes, cpuNanos }: Stream): number {
  return (bytes * 8) / cpuNanos;
}

async function stream({ client, server, bench }: Stage): Promise<Stream> {
  const send = [bench.programs.stream, 'send', server.address, PORT, String(SECONDS)];
  const args = [`--net=/run/netns/${client.netns}`, ...send];
  const { stdout } = await promisify(execFile)('nsenter', args, { signal: bench.signal });
  return JSON.parse(stdout) as Stream;
}
