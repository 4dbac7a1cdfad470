/** How commands fail; `dns` and `node-cache` with the message alone on its line of standard error, as scripts expect it. */
import { AppError, errorText } from '../fault/app-error.ts';

/** Go's `flag` package ends with 2, everything else with 1. Throws what is no `AppError`. */
export function reportFatal(error: unknown): never {
  if (!(error instanceof AppError)) throw error;
  console.error(error.message);
  if (error.hint !== undefined) console.error(`  ${error.hint}`);
  return process.exit(error.code === 'SERVE_FLAGS' ? 2 : 1);
}

/** What an operator reads of what ended a command, without its last newline. */
export function explain({ message, cause, hint }: AppError): string {
  const reason = cause === undefined ? '' : `: ${errorText(cause)}`;
  return `zerohop: ${message}${reason}${hint === undefined ? '' : `\n  ${hint}`}`;
}
