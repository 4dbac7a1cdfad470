/**
 * The log until the server runs: standard error, with the time in front as Go's logger prints it. Afterwards lines go
 * where the server's go (dns-server 1.8).
 */
import { AppError } from '../fault/app-error.ts';
import type { Clock } from '../telemetry/clock.ts';
import { createLineLog } from '../telemetry/line-log.ts';
import type { Log } from '../telemetry/log.ts';
import type { NodeCacheErrorCode } from './errors.ts';

const WRONG_FLAGS: NodeCacheErrorCode = 'NODECACHE_FLAGS';

export function createStampedLog(output: (text: string) => void, clock: Clock): Log {
  return createLineLog({
    exit: (code) => process.exit(code),
    sink: { write: (line) => output(`${stamp(clock.nowMs())} ${line}\n`), flush: () => undefined },
  });
}

/** Ends the process the way the original does when a value of its own flags is wrong; other errors are the caller's. */
export function endOnWrongFlags(error: unknown, log: Log): void {
  if (error instanceof AppError && error.code === WRONG_FLAGS) log.fatal(error.message);
}

/** Local time, `2026/01/31 09:05:00`. */
function stamp(nowMs: number): string {
  const now = new Date(nowMs);
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}/${two(now.getMonth() + 1)}/${two(now.getDate())}`;
  return `${date} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
}
