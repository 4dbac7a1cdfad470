/** The real process as a `ServeEnvironment`: standard output, the system's clock, metrics of this process. */
import { systemClock } from '../../telemetry/clock.ts';
import { createLineLog, createLineSink, type LineSink } from '../../telemetry/line-log.ts';
import { processMetrics } from '../../telemetry/process-metrics.ts';
import { createRegistry } from '../../telemetry/registry.ts';
import { loadClusterSource } from '../cluster-source.ts';
import type { ServeEnvironment } from '../environment.ts';

export interface ProcessEnvironment extends ServeEnvironment {
  readonly sink: LineSink;
}

export function processEnvironment(defaultPort: number): ProcessEnvironment {
  const sink = createLineSink((text) => void process.stdout.write(text));
  // Whoever reads the log may go away; that must not end the server.
  process.stdout.on('error', () => undefined);
  process.on('exit', () => sink.flush());
  const exit = (code: number): never => process.exit(code);
  let debug = false;
  const metrics = createRegistry(
    async (families) => (await import('../../telemetry/exposition.ts')).formatExposition(families),
    processMetrics,
  );
  return {
    sink,
    log: (prefix) => createLineLog({ sink, exit, prefix, debug: () => debug }),
    setDebug(enabled) {
      debug = enabled;
    },
    metrics,
    clock: systemClock,
    random: Math.random,
    directory: process.cwd(),
    defaultPort,
    loadCluster: () => loadClusterSource({ clock: systemClock, random: Math.random, metrics }),
  };
}
