/** The real process as a `ServeEnvironment`: standard output, the system's clock, metrics of this process. */

import { randomInt } from 'node:crypto';
import { setPriority } from 'node:os';
import { openBoundedOutput } from '../../telemetry/bounded-output.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { createLineLog, createLineSink, type LineSink, type LogLevel } from '../../telemetry/line-log.ts';
import { processMetrics } from '../../telemetry/process-metrics.ts';
import { createRegistry } from '../../telemetry/registry.ts';
import { createAnswerCache } from '../../wirecache/answer-cache.ts';
import { loadClusterSource } from '../cluster-source.ts';
import type { ServeEnvironment } from '../environment.ts';
import type { UdpSettings } from '../hot/hot-answers.ts';

export interface ProcessEnvironment extends ServeEnvironment {
  readonly sink: LineSink;
  readonly logLevel: LevelControl;
}

/** How much the process tells, for administrators. */
export interface LevelControl {
  /** As the configuration says, until it has been set. */
  get(): LogLevel;
  /** Until the process ends, whatever configurations say. */
  set(level: LogLevel): void;
}

/** What a stuck reader of the log may cost the end of the process. */
const LOG_PATIENCE_MS = 500;

/** What `-cache-memory` is unless it is given. Pages are taken from the system only as answers come. */
const CACHE_BYTES = 64 * 1024 * 1024;

export interface ProcessOptions {
  readonly defaultPort: number;
  /** Absent means that the main thread reads. */
  readonly udp?: UdpSettings;
  /** For the answers of all caches; by default 64 MiB. */
  readonly cacheBytes?: number;
}

export function processEnvironment({
  defaultPort,
  udp,
  cacheBytes = CACHE_BYTES,
}: ProcessOptions): ProcessEnvironment {
  const output = openBoundedOutput({
    fd: unblockedStdout(),
    clock: systemClock,
    lossLine: (lines) => `[WARNING] Lost ${lines} lines of the log: standard output was not read in time`,
  });
  const sink = createLineSink((text) => output.write(text));
  process.on('exit', () => {
    sink.flush();
    output.finish(LOG_PATIENCE_MS);
  });
  const exit = (code: number): never => process.exit(code);
  let debug = false;
  let level: LogLevel | undefined;
  const metrics = createRegistry(
    async (families) => (await import('../../telemetry/exposition.ts')).formatExposition(families),
    processMetrics,
  );
  return {
    sink,
    logLevel: {
      get: () => level ?? (debug ? 'debug' : 'info'),
      set(wanted) {
        level = wanted;
      },
    },
    log: (prefix) => createLineLog({ sink, exit, prefix, debug: () => debug, level: () => level }),
    setDebug(enabled) {
      debug = enabled;
    },
    metrics,
    clock: systemClock,
    random: Math.random,
    directory: process.cwd(),
    answers: createAnswerCache({ budgetBytes: cacheBytes, random: unforeseeable }),
    defaultPort,
    ...(udp && { udp }),
    loadCluster: () => loadClusterSource({ clock: systemClock, random: Math.random, metrics }),
  };
}

/** Node sets a pipe to not blocking when it first looks at its standard output, which is all that it is asked for here. */
function unblockedStdout(): number {
  // Whoever reads the log may go away; that must not end the server.
  process.stdout.on('error', () => undefined);
  return process.stdout.fd;
}

/** Uniform in [0, 1): whoever could foresee it could choose names that push each other out of the cache. */
function unforeseeable(): number {
  return randomInt(2 ** 32) / 2 ** 32;
}

/** Below the priority that everything else begins with: enough to be put off, not to be starved. */
const YIELDING = 10;

/**
 * For a server that has started: its clients wait for packet threads, not for a watch that is parsed or metrics that are
 * printed. On Linux this lowers the main thread alone, and threads that are started from now on with it.
 */
export function yieldToPacketThreads(): void {
  try {
    setPriority(process.pid, YIELDING);
  } catch {
    // Not allowed here: all threads stay equal.
  }
}
