/** Lets a few warnings through per stretch of time and counts the others: a list may have ten thousand bad objects. */
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';

const LINES = 10;
const STRETCH_MS = 10 * 60_000;

export function createLineLimit(log: Pick<Log, 'warning'>, clock: Clock): Pick<Log, 'warning'> {
  let sinceMs = Number.NEGATIVE_INFINITY;
  let lines = 0;
  return {
    warning(text) {
      const nowMs = clock.monotonicMs();
      if (nowMs - sinceMs >= STRETCH_MS) {
        if (lines > LINES) log.warning(`and ${lines - LINES} more lines like these`);
        sinceMs = nowMs;
        lines = 0;
      }
      lines++;
      if (lines <= LINES) log.warning(text);
      else if (lines === LINES + 1) log.warning('further lines of this kind are counted and told later');
    },
  };
}
