/**
 * A task that is done again and again against an API server that may be away, slow, or refuse: one attempt at a time,
 * backoff with jitter after failures, and one line in the log when a trouble begins and one when it is over. What waits
 * here blocks nothing else of the agent.
 */
import { errorCode, errorText } from '../../fault/app-error.ts';
import { KubeAnswerError } from '../../kube/answer-error.ts';
import { createBackoff } from '../../kube/watch/backoff.ts';
import { pause } from '../../kube/watch/pause.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 60_000;
/** A missing role is granted by a person. */
const FORBIDDEN_RETRY_MS = 120_000;

export interface RepeatSpec {
  /** Reads into "Cannot <what>: …". */
  readonly what: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
  readonly signal: AbortSignal;
  /** One attempt; resolves to how long to rest, in milliseconds. */
  readonly step: () => Promise<number>;
}

export interface Repeated {
  /** What the last attempt failed with; undefined when it did not. */
  error(): string | undefined;
  /** Ends the present rest. */
  wake(): void;
}

/** Runs until `signal` is aborted. */
export function repeat(spec: RepeatSpec): Repeated {
  let trouble: string | undefined;
  let error: string | undefined;
  let rest = new AbortController();
  const backoff = createBackoff({ firstMs: RETRY_FIRST_MS, maxMs: RETRY_MAX_MS, random: spec.random });

  const fails = (thrown: unknown): number => {
    const code = errorCode(thrown) ?? 'unknown';
    error = errorText(thrown);
    if (code !== trouble) spec.log.warning(`Cannot ${spec.what}: ${error}`);
    trouble = code;
    return waitAfter(thrown, backoff.nextMs()) * (0.75 + spec.random() / 2);
  };
  const works = (): void => {
    backoff.reset();
    if (trouble !== undefined) spec.log.info(`can ${spec.what} again`);
    trouble = undefined;
    error = undefined;
  };
  const run = async (): Promise<void> => {
    while (!spec.signal.aborted) {
      const waitMs = await spec.step().then((restMs) => {
        works();
        return restMs;
      }, fails);
      if (spec.signal.aborted) return;
      await pause(spec.clock, waitMs, AbortSignal.any([spec.signal, rest.signal]));
      if (rest.signal.aborted) rest = new AbortController();
    }
  };
  run().catch((thrown: unknown) => spec.log.error(`Cannot go on to ${spec.what}: ${String(thrown)}`));
  return { error: () => error, wake: () => rest.abort() };
}

/** Milliseconds to stay away after a failure. */
export function waitAfter(thrown: unknown, backoffMs: number): number {
  if (thrown instanceof KubeAnswerError && thrown.retryAfterSeconds !== undefined)
    return Math.min(thrown.retryAfterSeconds * 1000, RETRY_MAX_MS);
  return errorCode(thrown) === 'KUBE_FORBIDDEN' ? FORBIDDEN_RETRY_MS : backoffMs;
}
