/** This process keeps itself small: what `giveBackWhenIdle` needs of the real engine and system. */
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { giveBackPages } from '../../sys/spare-memory.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { giveBackWhenIdle, type Spare } from './give-back.ts';

/** For as long as the process lives. */
export function keepSmall(): void {
  giveBackWhenIdle(processSpare(), systemClock);
}

function processSpare(): Spare {
  return {
    busyMs: () => performance.eventLoopUtilization().active,
    residentBytes: () => process.memoryUsage.rss(),
    giveBack() {
      collectGarbage();
      try {
        giveBackPages();
      } catch {
        // Where libc cannot be called the pages stay.
      }
    },
  };
}

/**
 * As if memory had run out: only then does the engine let go of pages that it emptied. It hands its collector only to
 * contexts that are made after it was asked to.
 */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect !== 'function') return;
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
