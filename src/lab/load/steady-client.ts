/** One client pod of a trial: a steady mix of UDP and TCP until SIGTERM, then one line of JSON, a `ClientTally`. */
import { parseName } from '../../dns/name.ts';
import { AppError } from '../../fault/app-error.ts';
import { TallyBook } from './client-tally.ts';
import { runLoad } from './query-load.ts';
import { runTcpLoad } from './tcp-load.ts';

export interface SteadyClientOptions {
  readonly server: string;
  readonly name: string;
  /** Queries per second; of the TCP ones a tenth goes over one kept connection, the others have one each. */
  readonly udpRate: number;
  readonly tcpRate: number;
  /** Milliseconds; a query without an answer after so long is lost. */
  readonly patienceMs: number;
}

export async function runSteadyClient(options: SteadyClientOptions): Promise<void> {
  const name = parseName(options.name);
  if (name === undefined) {
    throw new AppError(
      'LAB_LOAD',
      `Cannot ask for a name: it is not a domain name: received ${options.name}`,
    );
  }
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort());
  const book = new TallyBook();
  const common = {
    name,
    server: options.server,
    port: 53,
    patienceMs: options.patienceMs,
    stop: stop.signal,
  };
  process.stdout.write('asking\n');
  await Promise.all([
    runLoad({ ...common, rate: options.udpRate, onResult: (result) => book.add('udp', result) }),
    runTcpLoad({
      ...common,
      freshRate: options.tcpRate * 0.9,
      keptRate: options.tcpRate * 0.1,
      onResult: (result) => book.add(result.habit === 'kept' ? 'tcp-kept' : 'tcp', result),
    }),
  ]);
  process.stdout.write(`${JSON.stringify(book.tally())}\n`);
}
