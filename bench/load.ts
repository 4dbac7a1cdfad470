/** One run of dnsperf against one server, and what it cost that server. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Contender } from './contender.ts';

export interface Run {
  readonly queriesPerSecond: number;
  /** CPU time of the server per answered query. */
  readonly cpuMicros: number;
  readonly lost: number;
}

/** As in the measurements this benchmark is compared with (userspace-udp 2): a closed loop that saturates the server. */
const CLIENTS = 20;
const OUTSTANDING = 100;

export interface LoadSpec {
  /** In dnsperf's format. */
  readonly queryFile: string;
  readonly seconds: number;
  /** Ends the run early. */
  readonly signal: AbortSignal;
}

/** Rejects when dnsperf fails or nothing is answered. */
export async function runLoad(contender: Contender, { queryFile, seconds, signal }: LoadSpec): Promise<Run> {
  signal.throwIfAborted();
  const { name, port } = contender.spec;
  const args = [
    '-s',
    '127.0.0.1',
    '-p',
    port,
    '-d',
    queryFile,
    '-l',
    seconds,
    '-c',
    CLIENTS,
    '-q',
    OUTSTANDING,
  ];
  const before = contender.cpuMicros();
  const { stdout } = await promisify(execFile)('dnsperf', args.map(String), { signal });
  const used = contender.cpuMicros() - before;
  const answered = figure(stdout, 'Queries completed');
  if (!(answered > 0)) throw new Error(`Cannot measure ${name}: it answered nothing: received ${stdout}`);
  return {
    queriesPerSecond: figure(stdout, 'Queries per second'),
    cpuMicros: used / answered,
    lost: figure(stdout, 'Queries lost'),
  };
}

/** NaN when the line is absent. */
function figure(report: string, label: string): number {
  return Number(new RegExp(`${label}:\\s+([0-9.]+)`).exec(report)?.[1] ?? Number.NaN);
}
