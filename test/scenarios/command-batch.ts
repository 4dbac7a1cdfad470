/**
 * Test support, run as a program: many `zerohop` commands in one process, since a process each would take a minute. Takes a
 * JSON list of `BatchedCommand` as its argument; before each command's output stands RS on both streams, after it the exit
 * code on standard error.
 */
import { run as observe } from '../../src/cli/observe.ts';
import { run as relay } from '../../src/cli/relay.ts';
import { explain } from '../../src/cli/report-fatal.ts';
import { AppError } from '../../src/fault/app-error.ts';
import type { BatchedCommand } from './run-batch.ts';

const COMMANDS = { observe, relay };
const RS = '\x1e';
const list: readonly BatchedCommand[] = JSON.parse(process.argv[2] ?? '[]');
const clean = { ...process.env };
// Each command looks at the pipe for itself.
process.stdout.setMaxListeners(0);

for (const { command, args, env = {} } of list) {
  process.env = { ...clean, ...env };
  process.stdout.write(RS);
  process.stderr.write(RS);
  const code = await COMMANDS[command](args).catch((error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    console.error(explain(error));
    return 1;
  });
  process.stderr.write(`${RS}${code}`);
}
