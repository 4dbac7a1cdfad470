/**
 * Looks at the Corefile from time to time, as the `reload` directive in force says (dns-server 3.9). A text that could
 * not be put into force is remembered by its hash and not tried again until it changes.
 */
import type { Corefile } from '../../corefile/ast.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';

export interface ReloadWatchOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Prints as `plugin/reload`. */
  readonly log: Log;
  readonly load: () => Corefile;
  /** Of the configuration in force; nothing when it does not say `reload`. */
  readonly period: () => { readonly intervalMs: number; readonly jitterMs: number } | undefined;
  readonly currentHash: () => string;
  /** Puts it into force; says whether that worked. */
  readonly apply: (corefile: Corefile) => Promise<boolean>;
}

/** Returns the way to stop. Call it once the first configuration is in force. */
export function watchCorefile(options: ReloadWatchOptions): () => void {
  const { clock, random, log, load, period, currentHash, apply } = options;
  let timer: Timer | undefined;
  let stopped = false;
  let badHash: string | undefined;

  function schedule(): void {
    const current = period();
    if (current === undefined || stopped) return;
    const delayMs = current.intervalMs + (random() - 0.5) * current.jitterMs;
    timer = clock.after(delayMs, () => void look().finally(schedule));
  }

  async function look(): Promise<void> {
    const corefile = parse();
    if (corefile === undefined || corefile.hash === currentHash() || corefile.hash === badHash) return;
    badHash = (await apply(corefile)) ? undefined : corefile.hash;
  }

  function parse(): Corefile | undefined {
    try {
      return load();
    } catch (error) {
      log.warning(`Corefile parse failed: ${errorText(error)}`);
      return undefined;
    }
  }

  schedule();
  return () => {
    stopped = true;
    timer?.cancel();
  };
}
