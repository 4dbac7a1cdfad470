/**
 * What the redirect costs: a client and a server in two namespaces of one node, one question after the other, directly, by
 * way of a redirected address, and translated by the node's own rules as kube-proxy would. Needs root.
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Datapath, DatapathSpec } from '../../src/datapath/datapath.ts';
import { openDatapath } from '../../src/datapath/open-datapath.ts';
import { silentLog, TestNetwork, type TestPod } from '../../src/datapath/testing/test-network.ts';
import { type Ip, parseIp } from '../../src/net/ip.ts';
import { type Port, PROTOCOLS, parsePort } from '../../src/net/port.ts';
import { countProgramRuns } from '../../src/sys/program-stats.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import { cpuNanos } from '../cpu-time.ts';
import { placed } from '../processors.ts';
import { median, ratios, shuffled } from '../statistics.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';

export const VIP = '10.96.0.10';
const ROUNDS = 5;
const QUERIES = 4000;
/** While programs are counted. */
const COUNTED_QUERIES = 1000;
const HEADINGS = ['way', 'p50 us', 'p99 us', 'CPU us/query', 'program ns/query'];

export const redirect: Suite = {
  name: 'redirect',
  title: 'A query and its answer between two pods of a node, redirected or not',
  needs: ['gcc'],
  run,
};

type WayName = 'direct' | 'direct, watched' | 'redirected' | 'translated by the node';

interface Way {
  readonly name: WayName;
  readonly address: string;
  readonly watched: boolean;
  readonly redirected: boolean;
}

interface Exchange {
  readonly answered: number;
  readonly p50: number;
  readonly p99: number;
  /** Of client and server. */
  readonly cpuMicros: number;
  /** Of our programs, query and answer together; counted in a run of its own, because counting costs. */
  readonly programNs: number;
}

interface Stage {
  readonly network: TestNetwork;
  readonly client: TestPod;
  readonly server: TestPod;
  readonly datapath: Datapath;
  readonly echo: ChildProcess;
  readonly bench: Bench;
}

async function run(bench: Bench): Promise<SuiteReport> {
  if (process.getuid?.() !== 0) return { table: 'Left out: namespaces need root', bars: bars(new Map()) };
  const stage = await buildStage(bench);
  const plain = { watched: false, redirected: false };
  const ways: readonly Way[] = [
    { name: 'direct', address: stage.server.address, ...plain },
    { name: 'direct, watched', address: stage.server.address, watched: true, redirected: false },
    { name: 'redirected', address: VIP, watched: true, redirected: true },
    { name: 'translated by the node', address: VIP, ...plain },
  ];
  const runs = new Map(ways.map(({ name }): [WayName, Exchange[]] => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of shuffled(ways)) runs.get(way.name)?.push(await measure(stage, way));
  }
  return { table: formatTable(HEADINGS, [...runs].map(row)), bars: bars(runs) };
}

async function buildStage(bench: Bench): Promise<Stage> {
  const network = new TestNetwork('bench');
  bench.onClose(() => network.close());
  const [client, server] = [network.addPod('client', '172.20.0.10'), network.addPod('server', '172.20.0.20')];
  network.translate(VIP, server.address);
  const args = [`--net=/run/netns/${server.netns}`, bench.programs.echo, '53', '1', server.address];
  const chain = placed({ command: 'nsenter', args }, 'server');
  const echo = network.spawn(network.node, chain.command, ...chain.args);
  const directory = join(network.mountBpffs(), 'node');
  network.enterNode();
  const datapath = openDatapath({ pinDirectory: directory, log: silentLog, clock: systemClock });
  bench.onClose(() => datapath.remove());
  return { network, client, server, datapath, echo, bench };
}

async function measure(stage: Stage, way: Way): Promise<Exchange> {
  const { datapath, echo } = stage;
  await datapath.apply(redirectSpec({ ...stage, ...way }));
  const pid = echo.pid ?? 0;
  const before = cpuNanos(pid);
  const { answered, p50, p99, cpuNanos: client } = await exchange(stage, way.address, QUERIES);
  const cpuMicros = (client + cpuNanos(pid) - before) / 1000 / answered;
  const stopCounting = countProgramRuns();
  try {
    const spent = () => datapath.programCosts().reduce((sum, { runNs }) => sum + Number(runNs), 0);
    const programBefore = spent();
    const counted = await exchange(stage, way.address, COUNTED_QUERIES);
    return { answered, p50, p99, cpuMicros, programNs: (spent() - programBefore) / counted.answered };
  } finally {
    stopCounting();
  }
}

interface ExchangeLine {
  readonly answered: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuNanos: number;
}

async function exchange({ client, bench }: Stage, address: string, count: number): Promise<ExchangeLine> {
  const args = [`--net=/run/netns/${client.netns}`, bench.programs.exchange, address, '53', String(count)];
  const chain = placed({ command: 'nsenter', args }, 'load');
  const { stdout } = await promisify(execFile)(chain.command, chain.args, { signal: bench.signal });
  return JSON.parse(stdout) as ExchangeLine;
}

export interface RedirectWish {
  readonly client: TestPod;
  readonly server: TestPod;
  readonly watched: boolean;
  readonly redirected: boolean;
}

/** The service's address leads to `server`. */
export function redirectSpec({ client, server, watched, redirected }: RedirectWish): DatapathSpec {
  const port = portOf('53');
  const frontends = PROTOCOLS.map((protocol) => ({
    address: ipOf(VIP),
    port,
    protocol,
    type: 'LocalRedirect' as const,
    service: 'kube-system/kube-dns',
    backends: [{ address: ipOf(server.address), port, protocol, state: 'active' as const }],
  }));
  const pods = [client, server].map(({ name, address }) => ({
    pod: `default/${name}`,
    addresses: [ipOf(address)],
  }));
  return { frontends: redirected ? frontends : [], pods: watched ? pods : [], mayPrune: true };
}

function ipOf(text: string): Ip {
  const ip = parseIp(text);
  if (ip === undefined) throw new Error(`Not an address: ${text}`);
  return ip;
}

function portOf(text: string): Port {
  const port = parsePort(text);
  if (port === undefined) throw new Error(`Not a port: ${text}`);
  return port;
}

function bars(runs: ReadonlyMap<WayName, readonly Exchange[]>) {
  const figures = (name: WayName, of: (one: Exchange) => number) => (runs.get(name) ?? []).map(of);
  const cpu = ({ cpuMicros }: Exchange) => cpuMicros;
  const p50 = (one: Exchange) => one.p50;
  const programMicros = (one: Exchange) => one.programNs / 1000;
  const most = { bound: 'most' as const };
  return [
    {
      what: 'programs : CPU of a direct query',
      limit: 0.06,
      unit: '',
      ...most,
      rounds: ratios(figures('redirected', programMicros), figures('direct', cpu)),
    },
    {
      what: 'CPU, redirected : direct',
      limit: 1.15,
      unit: '',
      ...most,
      rounds: ratios(figures('redirected', cpu), figures('direct', cpu)),
    },
    {
      what: 'p50, redirected : direct',
      limit: 1.15,
      unit: '',
      ...most,
      rounds: ratios(figures('redirected', p50), figures('direct', p50)),
    },
    {
      what: 'CPU, redirected : translated',
      limit: 1.05,
      unit: '',
      ...most,
      rounds: ratios(figures('redirected', cpu), figures('translated by the node', cpu)),
    },
  ];
}

function row([name, runs]: [WayName, readonly Exchange[]]): readonly string[] {
  const middle = (of: (one: Exchange) => number) => figure(median(runs.map(of)));
  const costs = [middle((one) => one.p50), middle((one) => one.p99), middle((one) => one.cpuMicros)];
  return [name, ...costs, middle((one) => one.programNs)];
}
