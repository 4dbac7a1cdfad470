/** The process's own figures under the names that Go programs export, because dashboards are built on those. */
import { readdirSync, readFileSync } from 'node:fs';
import type { FamilySamples } from './registry.ts';

interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly virtualBytes: number;
  readonly openFds: number;
  readonly maxFds: number;
  readonly startTimeSeconds: number;
}

const FIGURES: readonly (readonly [keyof ProcessFigures, string, 'counter' | 'gauge', string])[] = [
  ['cpuSeconds', 'process_cpu_seconds_total', 'counter', 'User and system CPU time spent in seconds.'],
  ['maxFds', 'process_max_fds', 'gauge', 'Most open file descriptors allowed.'],
  ['openFds', 'process_open_fds', 'gauge', 'Open file descriptors.'],
  ['residentBytes', 'process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.'],
  ['startTimeSeconds', 'process_start_time_seconds', 'gauge', 'Start of the process, seconds since 1970.'],
  ['virtualBytes', 'process_virtual_memory_bytes', 'gauge', 'Virtual memory size in bytes.'],
];

/** Read at each scrape. What the system does not tell is left out. */
export function processMetrics(): readonly FamilySamples[] {
  const figures = readFigures();
  return FIGURES.flatMap(([key, name, kind, help]) => {
    const value = figures[key];
    return Number.isFinite(value) ? [{ name, help, kind, samples: [{ suffix: '', labels: {}, value }] }] : [];
  });
}

function readFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    virtualBytes: 1024 * numberIn('/proc/self/status', /^VmSize:\s+(\d+) kB/m),
    openFds: countOpenFds(),
    maxFds: numberIn('/proc/self/limits', /^Max open files\s+(\d+)/m),
    startTimeSeconds: Math.round(performance.timeOrigin) / 1000,
  };
}

function numberIn(file: string, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(file, 'utf8'))?.[1] ?? Number.NaN);
  } catch {
    return Number.NaN; // Not Linux, or /proc is hidden: the figure is left out.
  }
}

function countOpenFds(): number {
  try {
    return readdirSync('/proc/self/fd').length - 1; // one of them is the listing itself
  } catch {
    return Number.NaN; // as above
  }
}
