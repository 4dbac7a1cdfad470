/** One run of `c/flight.c` in a pod: what its answers took, of the pod and of the whole machine. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { TestPod } from '../../src/datapath/testing/test-network.ts';
import type { Bench } from '../suite.ts';

/** How the questions come: one after the other, or so many at a time; none at all says what else the machine does. */
export type InFlight = 0 | 1 | 64;

export interface Flight {
  readonly sent: number;
  readonly answered: number;
  /** Answers without error and with a record. */
  readonly good: number;
  readonly lost: number;
  readonly seconds: number;
  /** Microseconds; of one at a time. */
  readonly p50: number;
  readonly p99: number;
  /** Of the asking process. */
  readonly cpuNanos: number;
  /** Of all processors, whatever used them: the kernel, or one of the processes that have to do with it. */
  readonly busyNanos: number;
}

export interface FlightSpec {
  readonly client: TestPod;
  readonly address: string;
  readonly inFlight: InFlight;
  readonly seconds: number;
  readonly queryFile: string;
  /** Of the processes that have to do with it: what all others take is not in `busyNanos`. */
  readonly pids: readonly number[];
}

const PORT = '53';

export async function fly(bench: Bench, spec: FlightSpec): Promise<Flight> {
  const { client, address, inFlight, seconds, queryFile, pids } = spec;
  bench.signal.throwIfAborted();
  const words = [address, PORT, String(inFlight), String(seconds), queryFile, pids.join()];
  const args = [`--net=/run/netns/${client.netns}`, bench.programs.flight, ...words];
  const { stdout } = await promisify(execFile)('nsenter', args, { signal: bench.signal });
  return JSON.parse(stdout) as Flight;
}
