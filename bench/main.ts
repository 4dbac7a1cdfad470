/**
 * `npm run bench`: what an answer from the cache costs, against a bare echo on the same transport and, where it is
 * installed, Unbound. Servers take turns under load, so that what disturbs the machine disturbs all. Loopback only; about
 * 40 s; nothing is left behind, however it ends. What the figures mean stands in `README.md`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Contender } from './contender.ts';
import { contenderSpecs, isInstalled, type Ports, upstreamSpec } from './contenders.ts';
import { freePorts } from './free-ports.ts';
import { type Run, runLoad } from './load.ts';
import { queryFile } from './names.ts';
import { formatReport, type Series } from './report.ts';

/** Long enough for the compiler to have seen the hot path: shorter, and its work is counted as the server's. */
const WARM_UP_SECONDS = 4;
const ROUNDS = 4;
const ROUND_SECONDS = 2;
/** Of one CPU, before we start: above it, only the ratios are worth reading. */
const BUSY_LOAD = 0.5;

async function main(): Promise<number> {
  if (!isInstalled('dnsperf')) {
    console.error('Cannot run the benchmark: dnsperf is not installed. On Debian: apt-get install dnsperf');
    return 1;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const directory = mkdtempSync(join(tmpdir(), 'zerohop-bench-'));
  const running: Contender[] = [];
  try {
    describeMachine();
    await compare(directory, running, stop.signal);
    return 0;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    return 130;
  } finally {
    await Promise.all(running.map((contender) => contender.close()));
    rmSync(directory, { recursive: true, force: true });
  }
}

/** `running` holds what has to be ended, also when this rejects. */
async function compare(directory: string, running: Contender[], signal: AbortSignal): Promise<void> {
  const ports = await choosePorts();
  const names = join(directory, 'queries');
  writeFileSync(names, queryFile());
  running.push(await Contender.start(upstreamSpec(ports)));
  const specs = contenderSpecs(directory, ports);
  if (!specs.some(({ name }) => name === 'unbound')) console.log('unbound is not installed: left out');
  const contenders: Contender[] = [];
  for (const spec of specs) {
    const contender = await Contender.start(spec);
    running.push(contender);
    contenders.push(contender);
    await runLoad(contender, { queryFile: names, seconds: WARM_UP_SECONDS, signal });
  }
  const runs = contenders.map((): Run[] => []);
  for (let round = 1; round <= ROUNDS; round++) {
    console.log(`round ${round} of ${ROUNDS}`);
    for (const [i, contender] of contenders.entries()) {
      runs[i]?.push(await runLoad(contender, { queryFile: names, seconds: ROUND_SECONDS, signal }));
    }
  }
  const all = contenders.map(({ spec }, i): Series => ({ name: spec.name, runs: runs[i] ?? [] }));
  const [floor] = all;
  if (floor !== undefined) console.log(`\n${formatReport(floor, all)}`);
}

async function choosePorts(): Promise<Ports> {
  const [upstream = 0, floor = 0, zerohop = 0, metrics = 0, unbound = 0] = await freePorts(5);
  return { upstream, floor, zerohop, metrics, unbound };
}

function describeMachine(): void {
  const [cpu] = cpus();
  const [load = 0] = loadavg();
  console.log(`${cpus().length} x ${cpu?.model}, Node ${process.versions.node}, load ${load.toFixed(2)}`);
  if (load > BUSY_LOAD) console.log('The machine is busy: read the ratios, not the figures');
}

process.exitCode = await main();
