/**
 * What it costs to see every query of a busy node: 10,000 a second from one pod, redirected to a server in another, while the
 * observer takes every packet and while it takes none. Needs root.
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openDatapath } from '../../src/datapath/open-datapath.ts';
import { silentLog, TestNetwork, type TestPod } from '../../src/datapath/testing/test-network.ts';
import { countProgramRuns } from '../../src/sys/program-stats.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import { NODE } from '../contenders.ts';
import { cpuNanos } from '../cpu-time.ts';
import { podQuestions } from '../names.ts';
import type { Paced } from '../pace.ts';
import { placed } from '../processors.ts';
import { median, shuffled } from '../statistics.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';
import { redirectSpec } from './redirect.ts';

const VIP = '10.96.0.10';
const RATE = 10_000;
const SECONDS = 4;
/** The observer compiles itself meanwhile: a node is busy for longer than that. */
const WARM_UP_SECONDS = 4;
const ROUNDS = 4;
/** A timer of the observer's that has not run yet takes what is still in the ring. */
const SETTLE_MS = 300;
const HEADINGS = ['observer', 'observer % of a core', 'programs % of a core', 'MB', 'flows/s', 'lost'];

export const flows: Suite = {
  name: 'flows',
  title: `${RATE} queries a second between two pods of a node, seen and not seen`,
  needs: ['gcc'],
  run,
};

interface Figures {
  /** Of one processor, in percent. */
  readonly observer: number;
  readonly programs: number;
  readonly residentMb: number;
  readonly flowsPerSecond: number;
  readonly lost: number;
}

interface Stage {
  readonly bench: Bench;
  readonly network: TestNetwork;
  readonly client: TestPod;
  readonly spec: string;
  readonly pinDirectory: string;
  readonly queryFile: string;
}

async function run(bench: Bench): Promise<SuiteReport> {
  if (process.getuid?.() !== 0) return { table: 'Left out: namespaces need root', bars: [] };
  const stage = buildStage(bench);
  const runs = { off: [] as Figures[], on: [] as Figures[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const mode of shuffled(['off', 'on'] as const)) runs[mode].push(await measure(stage, mode));
  }
  const cost = runs.on.map((on, round) => {
    const off = runs.off[round];
    return on.observer + on.programs - (off?.observer ?? 0) - (off?.programs ?? 0);
  });
  const rows = [row('off', runs.off), row('on', runs.on)];
  const bar = { what: 'seeing everything, % of a core', limit: 2, bound: 'most' as const, unit: '%' };
  return { table: formatTable(HEADINGS, rows), bars: [{ ...bar, rounds: cost }] };
}

function buildStage(bench: Bench): Stage {
  const network = new TestNetwork('bench');
  bench.onClose(() => network.close());
  const [client, server] = [network.addPod('client', '172.20.0.10'), network.addPod('server', '172.20.0.20')];
  const args = [`--net=/run/netns/${server.netns}`, bench.programs.echo, '53', '1', server.address];
  const echo = placed({ command: 'nsenter', args }, 'server');
  network.spawn(network.node, echo.command, ...echo.args);
  const pinDirectory = join(network.mountBpffs(), 'node');
  bench.onClose(() => {
    network.enterNode();
    openDatapath({ pinDirectory, log: silentLog, clock: systemClock }).remove();
  });
  const spec = JSON.stringify(redirectSpec({ client, server, watched: true, redirected: true }));
  const queryFile = bench.writeFile('flow-questions', podQuestions());
  return { bench, network, client, spec, pinDirectory, queryFile };
}

async function measure(stage: Stage, mode: 'on' | 'off'): Promise<Figures> {
  const observer = await startObserver(stage, mode);
  try {
    await load(stage, WARM_UP_SECONDS);
    const stopCounting = countProgramRuns();
    const before = await observer.ask();
    const cpuBefore = cpuNanos(observer.pid);
    const sent = await load(stage, SECONDS);
    await sleep(SETTLE_MS);
    const cpu = cpuNanos(observer.pid) - cpuBefore;
    const after = await observer.ask();
    stopCounting();
    const nanos = sent.seconds * 1e9;
    return {
      observer: (100 * cpu) / nanos,
      programs: (100 * (after.programNs - before.programNs)) / nanos,
      residentMb: residentMb(observer.pid),
      flowsPerSecond: (after.flows - before.flows) / sent.seconds,
      lost: after.lost - before.lost,
    };
  } finally {
    await observer.end();
  }
}

interface Report {
  readonly programNs: number;
  readonly flows: number;
  readonly lost: number;
}

async function startObserver({ network, pinDirectory, spec }: Stage, mode: string) {
  const program = join(import.meta.dirname, '..', 'servers', 'observer.ts');
  const child: ChildProcess = network.spawn(network.node, NODE, program, pinDirectory, spec, mode);
  if (child.stdin === null || child.stdout === null || child.pid === undefined)
    throw new Error('The observer has no pipes');
  const { stdin, pid } = child;
  const lines = createInterface({ input: child.stdout });
  const ask = async (): Promise<Report> => {
    const answer = once(lines, 'line');
    stdin.write('\n');
    const [line] = await answer;
    return JSON.parse(String(line)) as Report;
  };
  await ask();
  const end = async () => {
    const gone = once(child, 'exit');
    stdin.end();
    await gone;
  };
  return { pid, ask, end };
}

async function load({ bench, client, queryFile }: Stage, seconds: number): Promise<Paced> {
  const pace = [bench.programs.pace, '53', String(RATE), String(seconds), '20', queryFile, VIP];
  const chain = placed({ command: 'nsenter', args: [`--net=/run/netns/${client.netns}`, ...pace] }, 'load');
  const { stdout } = await promisify(execFile)(chain.command, chain.args, { signal: bench.signal });
  return JSON.parse(stdout) as Paced;
}

function residentMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kb) * 1024) / 1e6;
}

function row(name: string, runs: readonly Figures[]): readonly string[] {
  const middle = (of: (one: Figures) => number) => figure(median(runs.map(of)));
  return [
    name,
    middle((one) => one.observer),
    middle((one) => one.programs),
    middle((one) => one.residentMb),
    middle((one) => one.flowsPerSecond),
    String(runs.reduce((sum, { lost }) => sum + lost, 0)),
  ];
}
