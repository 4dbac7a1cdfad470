/** The load as a process of its own in a pod: one JSON line per query to stdout, for whoever started it. */

import { parseName } from '../../dns/name.ts';
import { AppError } from '../../fault/app-error.ts';
import { runLoad } from './query-load.ts';

export interface PrintLoadOptions {
  readonly rate: number;
  readonly seconds: number;
  readonly server: string;
  readonly name: string;
}

export async function printLoad(options: PrintLoadOptions): Promise<void> {
  const name = parseName(options.name);
  if (name === undefined) {
    throw new AppError(
      'LAB_LOAD',
      `Cannot ask for a name: it is not a domain name: received ${options.name}`,
    );
  }
  await runLoad({
    name,
    server: options.server,
    port: 53,
    rate: options.rate,
    durationMs: options.seconds * 1000,
    onResult: (result) => process.stdout.write(`${JSON.stringify(result)}\n`),
  });
}
