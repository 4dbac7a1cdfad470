/**
 * `npm run bench [-- SUITE...]`: every bar that was set for speed and memory, measured beside the peers in one run, with a
 * verdict. Loopback only; nothing is left behind, however it ends. What the figures mean stands in `README.md`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePrograms } from './c-programs.ts';
import { type Program, providePrograms } from './peers.ts';
import { processorCount } from './processors.ts';
import { Bench, type Suite } from './suite.ts';
import { SUITES } from './suites.ts';
import { type Bar, formatVerdicts } from './verdict.ts';

/** Runnable processes, over the last minute: above it, only ratios are worth reading, and tails are not. */
const BUSY_LOAD = 0.7;
/** No suite begins later; on a machine with time for it all of them end before. */
const LAST_START_MS = 9 * 60_000;

async function main(words: readonly string[]): Promise<number> {
  const unknown = words.filter((word) => !SUITES.some(({ name }) => name === word));
  if (unknown.length > 0) {
    const names = SUITES.map(({ name }) => name).join(' ');
    console.error(`Cannot run the suite: expected ${names}: received ${unknown.join(' ')}`);
    return 2;
  }
  const wanted = SUITES.filter(({ name }) => words.length === 0 || words.includes(name));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const directory = mkdtempSync(join(tmpdir(), 'zerohop-bench-'));
  try {
    await runAll(wanted, directory, stop.signal);
    return 0;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    return 130;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function runAll(suites: readonly Suite[], directory: string, signal: AbortSignal): Promise<void> {
  const installed = providePrograms();
  const runnable = suites.filter((suite) => canRun(suite, installed));
  if (runnable.length === 0) return;
  const programs = compilePrograms(directory);
  describeMachine();
  const all: Bar[] = [];
  const began = performance.now();
  for (const suite of runnable) {
    if (performance.now() - began > LAST_START_MS) {
      console.log(`\nLeft out: ${suite.name}: the machine is too slow today: npm run bench -- ${suite.name}`);
      continue;
    }
    const bench = new Bench({ directory, programs, installed, signal });
    try {
      const bars = await runSuite(suite, bench);
      all.push(...bars.map((bar) => ({ ...bar, what: `${suite.name}: ${bar.what}` })));
    } catch (error) {
      if (signal.aborted) throw error;
      // One that cannot be measured must not keep the others from being measured.
      console.log(`Cannot finish ${suite.name}: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    } finally {
      await bench.close();
    }
  }
  if (runnable.length > 1) console.log(`\n== All bars ==\n${formatVerdicts(all)}`);
}

async function runSuite(suite: Suite, bench: Bench): Promise<readonly Bar[]> {
  console.log(`\n== ${suite.name} == ${suite.title}`);
  const [before = 0] = loadavg();
  if (before > processorCount() + BUSY_LOAD)
    console.log(`The machine is busy with other work: load ${before.toFixed(2)}`);
  const began = performance.now();
  const { table, bars, notes = [] } = await suite.run(bench);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log([table, '', formatVerdicts(bars), ...notes, `${seconds} s`].join('\n'));
  return bars;
}

function canRun({ name, needs }: Suite, installed: ReadonlySet<Program>): boolean {
  const missing = needs.filter((program) => !installed.has(program));
  if (missing.length > 0) console.log(`Left out: ${name}: it needs ${missing.join(' and ')}`);
  return missing.length === 0;
}

function describeMachine(): void {
  const [cpu] = cpus();
  const [load = 0] = loadavg();
  console.log(`${processorCount()} x ${cpu?.model}, Node ${process.versions.node}, load ${load.toFixed(2)}`);
  if (load > BUSY_LOAD) console.log('The machine is busy: read the ratios, not the figures');
}

process.exitCode ||= await main(process.argv.slice(2));
