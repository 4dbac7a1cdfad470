/** One run of dnsperf against one server, and what it cost that server. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Contender } from './contender.ts';
import { placed } from './processors.ts';

export interface Run {
  readonly queriesPerSecond: number;
  /** Processor time of the server per answered query. */
  readonly cpuMicros: number;
  readonly lost: number;
}

/** As in the measurements this benchmark is compared with (userspace-udp 2): a closed loop that saturates the server. */
const CLIENTS = 20;
const OUTSTANDING = 100;
/** dnsperf waits 5 s for each answer that does not come: a server that gives none must not hold up the rest. */
const LIMIT_MS = 60_000;

export interface LoadSpec {
  /** In dnsperf's format. */
  readonly queryFile: string;
  /** Without it the file is asked through once. */
  readonly seconds?: number;
  /** Queries per second at most. */
  readonly rate?: number;
  /** Ends the run early. */
  readonly signal: AbortSignal;
}

/** Rejects when dnsperf fails, or more than one answer in a thousand fails or does not come. */
export async function runLoad(contender: Contender, spec: LoadSpec): Promise<Run> {
  const { queryFile, seconds, rate, signal } = spec;
  signal.throwIfAborted();
  const { name, port } = contender.spec;
  const limit = seconds === undefined ? ['-n', 1] : ['-l', seconds];
  const pace = rate === undefined ? [] : ['-Q', rate];
  const args = [
    '-s',
    '127.0.0.1',
    '-p',
    port,
    '-d',
    queryFile,
    ...limit,
    ...pace,
    '-c',
    CLIENTS,
    '-q',
    OUTSTANDING,
  ];
  const command = placed({ command: 'dnsperf', args: args.map(String) }, 'load');
  const before = contender.cpuNanos();
  const { stdout } = await promisify(execFile)(command.command, [...command.args], {
    signal,
    timeout: LIMIT_MS,
  });
  const used = contender.cpuNanos() - before;
  const answered = figure(stdout, 'Queries completed');
  const lost = figure(stdout, 'Queries lost');
  const failed = Number(/SERVFAIL (\d+)/.exec(stdout)?.[1] ?? 0);
  if (!(answered > 0) || lost + failed > answered / 1000) {
    throw new Error(`Cannot measure ${name}: answers are missing: received ${stdout}`);
  }
  return { queriesPerSecond: figure(stdout, 'Queries per second'), cpuMicros: used / 1000 / answered, lost };
}

/** NaN when the line is absent. */
function figure(report: string, label: string): number {
  return Number(new RegExp(`${label}:\\s+([0-9.]+)`).exec(report)?.[1] ?? Number.NaN);
}
