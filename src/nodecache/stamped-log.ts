/**
 * The log until the server runs: standard error, with the time in front as Go's logger prints it. Afterwards lines go
 * where the server's go (dns-server 1.8).
 */
import type { Clock } from '../telemetry/clock.ts';
import { createLineLog } from '../telemetry/line-log.ts';
import type { Log } from '../telemetry/log.ts';

export function createStampedLog(output: (text: string) => void, clock: Clock): Log {
  return createLineLog({
    exit: (code) => process.exit(code),
    sink: { write: (line) => output(`${stamp(clock.nowMs())} ${line}\n`), flush: () => undefined },
  });
}

/** Local time, `2026/01/31 09:05:00`. */
function stamp(nowMs: number): string {
  const now = new Date(nowMs);
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}/${two(now.getMonth() + 1)}/${two(now.getDate())}`;
  return `${date} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
}
