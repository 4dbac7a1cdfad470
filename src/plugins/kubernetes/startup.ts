/** Holds the start back until the cluster is known, but not for ever: a server without the API still forwards. */
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';

const REMIND_MS = 500;

export interface SyncWait {
  readonly synced: () => boolean;
  /** Calls `listener` after each change of what is known, until the returned function is called. */
  readonly watch: (listener: () => void) => () => void;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Resolves when `synced` or after `timeoutMs`, whichever is first; never rejects. */
export async function waitForSync(wait: SyncWait): Promise<void> {
  if (!wait.synced() && wait.timeoutMs > 0) await settled(wait);
  if (!wait.synced()) wait.log.warning('starting server with unsynced Kubernetes API');
}

async function settled({ synced, watch, timeoutMs, clock, log }: SyncWait): Promise<void> {
  const end = Promise.withResolvers<void>();
  const unwatch = watch(() => {
    if (synced()) end.resolve();
  });
  const deadline = clock.after(timeoutMs, end.resolve);
  let reminder = clock.after(REMIND_MS, remind);
  function remind(): void {
    log.info('waiting for Kubernetes API before starting server');
    reminder = clock.after(REMIND_MS, remind);
  }
  await end.promise;
  unwatch();
  deadline.cancel();
  reminder.cancel();
}
