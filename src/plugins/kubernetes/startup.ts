/** Holds the start back until the cluster is known, but not for ever: a server without the API still forwards. */
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';

const POLL_MS = 100;
const REMIND_MS = 500;

/** Resolves when `synced` or after `timeoutMs`, whichever is first; never rejects. */
export function waitForSync(options: {
  readonly synced: () => boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<void> {
  const { synced, timeoutMs, clock, log } = options;
  const startedMs = clock.monotonicMs();
  let remindAtMs = REMIND_MS;
  return new Promise((resolve) => {
    const poll = (): void => {
      const waitedMs = clock.monotonicMs() - startedMs;
      const late = waitedMs >= timeoutMs;
      if (synced() || late) {
        if (!synced()) log.warning('starting server with unsynced Kubernetes API');
        resolve();
        return;
      }
      if (waitedMs >= remindAtMs) {
        log.info('waiting for Kubernetes API before starting server');
        remindAtMs += REMIND_MS;
      }
      clock.after(Math.min(POLL_MS, timeoutMs - waitedMs), poll);
    };
    poll();
  });
}
