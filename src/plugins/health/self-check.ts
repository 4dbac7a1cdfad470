/**
 * The server's look at its own health page, once a second: a process that is overloaded shows it here first
 * (dns-server 3.2). Only a real request over a real socket measures that.
 */
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { formatDuration } from '../directive.ts';

const INTERVAL_MS = 1000;
const TIMEOUT_MS = 3000;
const SLOW_MS = 1000;
const BUCKETS = [0.00025, 0.0025, 0.025, 0.25, 2.5];

export interface SelfCheckOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Asks `url`; rejects after `timeoutMs` or when nobody answers. */
  readonly get: (url: string, timeoutMs: number) => Promise<void>;
}

/** Returns the way to stop it. */
export function startSelfCheck({ url, clock, log, metrics, get }: SelfCheckOptions): () => void {
  const durations = metrics
    .histogram({
      name: 'coredns_health_request_duration_seconds',
      help: 'Time of the health check of itself.',
      labels: [],
      buckets: BUCKETS,
    })
    .with();
  const failures = metrics
    .counter({
      name: 'coredns_health_request_failures_total',
      help: 'Health checks of itself that failed.',
      labels: [],
    })
    .with();
  let timer: Timer = clock.after(INTERVAL_MS, run);
  let stopped = false;

  function run(): void {
    const startMs = clock.monotonicMs();
    get(url, TIMEOUT_MS)
      .then(
        () => report(clock.monotonicMs() - startMs),
        (error: unknown) => {
          failures.inc();
          const reason = error instanceof Error ? error.message : String(error);
          if (!stopped) log.warning(`Local health request to ${JSON.stringify(url)} failed: ${reason}`);
        },
      )
      .finally(() => {
        if (!stopped) timer = clock.after(INTERVAL_MS, run);
      });
  }

  function report(elapsedMs: number): void {
    durations.observe(elapsedMs / 1000);
    if (elapsedMs <= SLOW_MS || stopped) return;
    log.warning(
      `Local health request to ${JSON.stringify(url)} took more than 1s: ${formatDuration(elapsedMs)}`,
    );
  }

  return () => {
    stopped = true;
    timer.cancel();
  };
}
