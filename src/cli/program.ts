/**
 * How a command reads its flags and ends: the one user of commander here. Help goes out with exit code 0, a wrong flag
 * with 1 and one line; a reader that closes the pipe (`| head`) ends the command quietly.
 */
import { Command, InvalidArgumentError } from 'commander';
import { errorText } from '../fault/app-error.ts';

/** `name` as it is typed: `zerohop observe`. */
export function createProgram(name: string, description: string): Command {
  return new Command(name).description(description).exitOverride().showHelpAfterError(false);
}

/** Runs the action that fits `args`; gives the exit code of help and of wrong flags, undefined when the action ran. */
export async function runProgram(program: Command, args: readonly string[]): Promise<number | undefined> {
  try {
    await program.parseAsync([...args], { from: 'user' });
    return undefined;
  } catch (error) {
    if (error instanceof Error && 'exitCode' in error) return Number(error.exitCode) === 0 ? 0 : 1;
    throw error;
  }
}

/** For a flag that may be repeated or hold several values with commas. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, ...value.split(',').filter((part) => part !== '')];
}

/** For a flag that may be repeated and whose value may hold commas. */
export function collectWhole(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

export function countFlag(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}

/** Ends the process quietly when whoever reads our output has gone. Call once, before the first write. */
export function endOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

/** A signal that SIGINT and SIGTERM raise, until `forget`. */
export function untilTold(): { readonly signal: AbortSignal; readonly forget: () => void } {
  const abort = new AbortController();
  const stop = () => abort.abort();
  const words = ['SIGINT', 'SIGTERM'] as const;
  for (const word of words) process.once(word, stop);
  return {
    signal: abort.signal,
    forget: () => {
      for (const word of words) process.off(word, stop);
    },
  };
}

/** A line on standard error that ends nothing. */
export function warn(text: string): void {
  console.error(`zerohop: ${text}`);
}

/** For an agent that is left out because it does not answer. */
export function warnOfSilence(error: unknown): void {
  warn(`${errorText(error)}: shown without it`);
}

/** Writes and waits when the reader is slower than we are, so that nothing piles up in memory. */
export async function print(text: string): Promise<void> {
  if (process.stdout.write(text)) return;
  await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
}
