/** Signals to intentions (dns-server 1.8). Handlers are installed at once, also so that Node keeps its own off SIGUSR1. */
import type { Log } from '../../telemetry/log.ts';

export type Ending = 'terminate' | 'interrupt' | 'quit';

export interface SignalEnding {
  /** Resolves at the first signal that ends the process. */
  readonly told: Promise<Ending>;
  onReload(run: () => void): void;
}

/** A second SIGINT ends the process on the spot; a second SIGTERM changes nothing. */
export function signalEnding({ log, flush }: { log: Log; flush: () => void }): SignalEnding {
  const told = Promise.withResolvers<Ending>();
  let interrupts = 0;
  let reload: (() => void) | undefined;
  process.on('SIGHUP', () => undefined);
  process.on('SIGUSR1', () => reload?.());
  process.once('SIGTERM', () => {
    process.on('SIGTERM', () => undefined);
    log.info('SIGTERM: Shutting down servers then terminating');
    told.resolve('terminate');
  });
  process.on('SIGQUIT', () => {
    log.info('SIGQUIT: Quitting process immediately');
    told.resolve('quit');
  });
  process.on('SIGINT', () => {
    if (++interrupts === 1) {
      log.info('SIGINT: Shutting down');
      told.resolve('interrupt');
      return;
    }
    log.info('SIGINT: Force quit');
    flush();
    process.exit(2);
  });
  return {
    told: told.promise,
    onReload(run) {
      reload = run;
    },
  };
}
