/** One run of our own load generator: a fixed rate, whatever the server does (open loop), and how long answers took. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface Paced {
  readonly sent: number;
  readonly answered: number;
  /** Other than NOERROR and NXDOMAIN. */
  readonly failed: number;
  /** How long it took to send all. */
  readonly seconds: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface PaceSpec {
  /** The compiled `c/pace.c`. */
  readonly program: string;
  readonly port: number;
  readonly queryFile: string;
  /** Queries per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

/** Each is a client with a port of its own. */
const SOCKETS = 20;

export async function runPaced({
  program,
  port,
  queryFile,
  rate,
  seconds,
  signal,
}: PaceSpec): Promise<Paced> {
  signal.throwIfAborted();
  const args = [port, rate, seconds, SOCKETS, queryFile].map(String);
  const { stdout } = await promisify(execFile)(program, args, { signal });
  return JSON.parse(stdout) as Paced;
}
