/**
 * Signals to intentions (dns-server 1.8). Handlers are installed before anything else is loaded: the kubelet may end a
 * container at any moment, and SIGUSR1 without a handler opens Node's debugger. What comes before there is a log or a
 * server is kept and said once there is. It imports no code, so that a command can load it first.
 */
import type { Log } from '../../telemetry/log.ts';

export type Ending = 'terminate' | 'interrupt' | 'quit';

/** Whoever acts on signals once it can. */
export interface SignalListener {
  readonly log: Log;
  /** Writes out what has been logged; the process ends right after it. */
  readonly flush: () => void;
  readonly onReload: () => void;
}

export interface ServerSignals {
  /** Resolves at the first signal that ends the process. */
  readonly told: Promise<Ending>;
  /** Resolves at SIGQUIT, which is in a hurry also while another signal is being followed. */
  readonly quit: Promise<void>;
  /** Call once. What was missed is heard now; a reload only if the process has not been told to end. */
  listen(listener: SignalListener): void;
}

const LINES: Readonly<Record<Ending, string>> = {
  terminate: 'SIGTERM: Shutting down servers then terminating',
  interrupt: 'SIGINT: Shutting down',
  quit: 'SIGQUIT: Quitting process immediately',
};

/** A second SIGINT ends the process on the spot; a second SIGTERM changes nothing. */
export function catchSignals(): ServerSignals {
  const told = Promise.withResolvers<Ending>();
  const quit = Promise.withResolvers<void>();
  let listener: SignalListener | undefined;
  let ending: Ending | undefined;
  let reloadAsked = false;
  let interrupts = 0;

  function end(how: Ending): void {
    listener?.log.info(LINES[how]);
    ending ??= how;
    told.resolve(how);
  }
  function interrupt(): void {
    if (++interrupts === 1) {
      end('interrupt');
      return;
    }
    listener?.log.info('SIGINT: Force quit');
    listener?.flush();
    process.exit(2);
  }
  function reload(): void {
    if (ending !== undefined) return;
    reloadAsked = listener === undefined;
    listener?.onReload();
  }

  process.on('SIGHUP', () => undefined);
  // CoreDNS would replace its own program; unheard, the signal would end this one.
  process.on('SIGUSR2', () => listener?.log.warning('SIGUSR2: Upgrading in place is not built: ignored'));
  process.on('SIGUSR1', reload);
  process.on('SIGTERM', () => ending === undefined && end('terminate'));
  process.on('SIGQUIT', () => {
    end('quit');
    quit.resolve();
  });
  process.on('SIGINT', interrupt);
  return {
    told: told.promise,
    quit: quit.promise,
    listen(whoever) {
      listener = whoever;
      if (ending !== undefined) listener.log.info(LINES[ending]);
      else if (reloadAsked) listener.onReload();
    },
  };
}
