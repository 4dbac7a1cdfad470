/**
 * How fast cached names are answered and what that takes of the whole machine: by Unbound, by our server behind the redirect,
 * by the kernel, and by an echo in its place. In each round all take turns, and so does the machine at rest, whose work is
 * nobody's.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuNanos } from '../cpu-time.ts';
import type { NodeReport } from '../servers/answering-node.ts';
import { median, ratios, shuffled } from '../statistics.ts';
import { VIP } from '../suites/redirect.ts';
import { figure, formatTable } from '../table.ts';
import type { Bar } from '../verdict.ts';
import { type Flight, fly, type InFlight } from './flight.ts';
import { type Stage, specOf } from './stage.ts';

const ROUNDS = 6;
const SECONDS = 0.6;
const WARM_UP_SECONDS = 3;
/** What the observer has not taken yet, and what the last one asked for, is done by then. */
const SETTLE_MS = 150;
/** Of a way that is said to be the kernel's, so many answers are; what is refreshed or new goes to the server. */
const LEAST_SHARE = 0.98;
const HEADINGS = [
  'way',
  'p50 us',
  'p99 us',
  'answers/s',
  'CPU us/answer',
  'of processes',
  'lost',
  'flows lost %',
];

type WayName = 'at rest' | 'unbound' | 'zerohop' | 'kernel' | 'kernel, no flows' | 'echo in the kernel';

interface Way {
  readonly name: WayName;
  readonly address: string;
  readonly programs: 'none' | 'redirect' | 'answer';
  readonly flows: boolean;
  /** Of the server that is asked; nothing where none is. */
  readonly pid?: number;
}

interface Sample {
  readonly p50: number;
  readonly p99: number;
  readonly rate: number;
  /**
   * Answers for each second that the client had a processor. Where the kernel answers, the client does all the work and never
   * waits, so this is its rate, whatever else the machine has to do.
   */
  readonly clientRate: number;
  /** Microseconds of all processors for an answer, less what the machine does at rest. */
  readonly machine: number;
  /** The same as the scheduler counts it, of client, server and observer alone. */
  readonly processes: number;
  readonly lost: number;
  /** Events of answers that the observer did not get, in percent of the answers. */
  readonly flowsLost: number;
}

type Samples = ReadonlyMap<WayName, readonly Sample[]>;

export interface Speeds {
  readonly tables: readonly string[];
  readonly bars: readonly Bar[];
}

export async function measureSpeeds(stage: Stage): Promise<Speeds> {
  const ways = waysOf(stage);
  const warm = ways.find(({ name }) => name === 'zerohop');
  if (warm !== undefined) await runOn(stage, warm, 64, WARM_UP_SECONDS);
  const closed = await inRounds(stage, ways, 1);
  const full = await inRounds(stage, ways, 64);
  return {
    tables: [table('one at a time', closed), table('64 in flight', full)],
    bars: [...closedBars(closed), ...fullBars(full)],
  };
}

function waysOf({ unbound, pids }: Stage): readonly Way[] {
  const ours = { address: VIP, pid: pids.zerohop };
  const theirs = { address: unbound.address, programs: 'none', flows: false } as const;
  return [
    { name: 'at rest', ...theirs },
    { name: 'unbound', ...theirs, pid: pids.unbound },
    { name: 'zerohop', ...ours, programs: 'redirect', flows: true },
    { name: 'kernel', ...ours, programs: 'answer', flows: true },
    { name: 'kernel, no flows', ...ours, programs: 'answer', flows: false },
    { name: 'echo in the kernel', address: VIP, programs: 'none', flows: false },
  ];
}

async function inRounds(stage: Stage, ways: readonly Way[], inFlight: InFlight): Promise<Samples> {
  const samples = new Map(ways.map(({ name }): [WayName, Sample[]] => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const measured = new Map<Way, Measured>();
    for (const way of shuffled(ways)) {
      measured.set(way, await runOn(stage, way, way.name === 'at rest' ? 0 : inFlight, SECONDS));
    }
    const rest = [...measured].find(([{ name }]) => name === 'at rest')?.[1].flight;
    const restShare = rest === undefined ? 0 : rest.busyNanos / rest.seconds;
    for (const [{ name }, one] of measured) samples.get(name)?.push(toSample(one, restShare));
  }
  samples.delete('at rest');
  return samples;
}

interface Measured {
  readonly flight: Flight;
  /** Of server and observer. */
  readonly othersNanos: number;
  readonly eventsLost: number;
}

async function runOn(stage: Stage, way: Way, inFlight: InFlight, seconds: number): Promise<Measured> {
  const { node, bench, client, queryFile } = stage;
  const before = await node.wish({ spec: specOf(stage, way.programs), flows: way.flows });
  const takeAway = way.name === 'echo in the kernel' ? stage.hangFloor() : undefined;
  try {
    await sleep(SETTLE_MS, undefined, { signal: bench.signal });
    const pids = [node.pid, ...(way.pid === undefined ? [] : [way.pid])];
    const spent = () => pids.reduce((sum, pid) => sum + cpuNanos(pid), 0);
    const spentBefore = spent();
    const flight = await fly(bench, { client, address: way.address, inFlight, seconds, queryFile, pids });
    const othersNanos = spent() - spentBefore;
    const after = await node.wish();
    assertHonest(way, flight, before, after);
    return { flight, othersNanos, eventsLost: after.eventsLost - before.eventsLost };
  } finally {
    takeAway?.();
  }
}

/** What is measured is what is said to be: answers that are some, from whom they are said to come. */
function assertHonest({ name, programs }: Way, flight: Flight, before: NodeReport, after: NodeReport): void {
  if (name === 'at rest') return;
  const { answered, good } = flight;
  const byKernel = (after.answered - before.answered) / answered;
  const isEcho = name === 'echo in the kernel';
  if (!(answered > 0) || good !== (isEcho ? 0 : answered))
    throw new Error(
      `Cannot measure ${name}: answers are missing or wrong: received ${JSON.stringify(flight)}`,
    );
  if (programs === 'answer' ? byKernel < LEAST_SHARE : byKernel > 0)
    throw new Error(
      `Cannot measure ${name}: received ${figure(byKernel * 100)} % of its answers from the kernel`,
    );
}

function toSample({ flight, othersNanos, eventsLost }: Measured, restShare: number): Sample {
  const { answered, seconds, p50, p99, busyNanos, cpuNanos: client, lost } = flight;
  return {
    ...{ p50, p99, lost },
    rate: answered / seconds,
    clientRate: answered / (client / 1e9),
    machine: (busyNanos - restShare * seconds) / 1000 / answered,
    processes: (client + othersNanos) / 1000 / answered,
    flowsLost: (100 * eventsLost) / answered,
  };
}

function closedBars(samples: Samples): readonly Bar[] {
  return (['kernel', 'kernel, no flows'] as const).flatMap((name) => {
    const of = figuresOf(samples);
    const times = (what: string, pick: (one: Sample) => number): Bar => ({
      ...{ what: `${what}, unbound : ${name}`, limit: 5, bound: 'least', unit: '' },
      rounds: ratios(of('unbound', pick), of(name, pick)),
    });
    return [
      atMost(
        `one at a time: CPU, ${name} : unbound`,
        0.2,
        ratios(of(name, machineOf), of('unbound', machineOf)),
      ),
      times('one at a time: p50', (one) => one.p50),
      times('one at a time: p99', (one) => one.p99),
      besideEcho('one at a time', name, samples),
    ];
  });
}

function fullBars(samples: Samples): readonly Bar[] {
  const of = figuresOf(samples);
  return (['kernel', 'kernel, no flows'] as const).flatMap((name) => [
    atMost(
      `64 in flight: CPU, ${name} : unbound`,
      1 / 3,
      ratios(of(name, machineOf), of('unbound', machineOf)),
    ),
    besideEcho('64 in flight', name, samples),
  ]);
}

function besideEcho(how: string, name: WayName, samples: Samples): Bar {
  const rates = (way: WayName) => figuresOf(samples)(way, (one) => one.clientRate);
  const what = `${how}: answers/s, ${name} : echo`;
  return {
    what,
    limit: 0.85,
    bound: 'least',
    unit: '',
    rounds: ratios(rates(name), rates('echo in the kernel')),
  };
}

function atMost(what: string, limit: number, rounds: readonly number[]): Bar {
  return { what, limit, bound: 'most', unit: '', rounds };
}

function machineOf({ machine }: Sample): number {
  return machine;
}

function figuresOf(samples: Samples) {
  return (name: WayName, pick: (one: Sample) => number) => (samples.get(name) ?? []).map(pick);
}

function table(title: string, samples: Samples): string {
  const rows = [...samples].map(([name, all]) => {
    const middle = (pick: (one: Sample) => number) => figure(median(all.map(pick)));
    const latencies = [(one: Sample) => one.p50, (one: Sample) => one.p99].map((pick) =>
      median(all.map(pick)) < 0 ? '-' : middle(pick),
    );
    const rate = median(all.map((one) => one.rate)).toFixed(0);
    const lost = all.reduce((sum, one) => sum + one.lost, 0);
    return [
      name,
      ...latencies,
      rate,
      middle(machineOf),
      middle((one) => one.processes),
      String(lost),
      middle((one) => one.flowsLost),
    ];
  });
  return formatTable([title, ...HEADINGS.slice(1)], rows);
}
