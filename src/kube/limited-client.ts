/**
 * A client that asks no more often than it was told: a bucket of tokens for how often, a queue for how many at once.
 * A watch counts until its answer begins, since it stays open for minutes. Requests wait in the order they came.
 */
import type { Clock } from '../telemetry/clock.ts';
import type { KubeClient } from './client.ts';
import { pause } from './watch/pause.ts';

export interface ClientLimits {
  /** Requests a second on average; 0 means as many as there are, absent means so too unless there is a burst. */
  readonly perSecond?: number;
  /** Requests that may go at once after a rest; at least 1. */
  readonly burst?: number;
  /** Requests without an answer yet; absent or 0 means as many as there are. */
  readonly inFlight?: number;
}

export interface LimitedClientSpec {
  readonly limits: ClientLimits;
  readonly clock: Clock;
  /** Told of every request how long it had to wait, in seconds. */
  readonly onWait?: (verb: string, seconds: number) => void;
}

/** What Kubernetes' own client takes for the one when only the other is given. */
const DEFAULT_BURST = 10;
const DEFAULT_PER_SECOND = 5;
const NEVER = new AbortController().signal;

/** `client` behind the limits; closing it closes `client`. Waiting ends early when a request's signal is aborted. */
export function limitClient(client: KubeClient, spec: LimitedClientSpec): KubeClient {
  const { limits, clock, onWait } = spec;
  const takeToken = tokenBucket(limits, clock);
  const slots = slotQueue(limits.inFlight || Number.POSITIVE_INFINITY);

  async function limited<T>(verb: string, ask: () => Promise<T>, signal = NEVER): Promise<T> {
    const startMs = clock.monotonicMs();
    await slots.enter();
    try {
      await takeToken(signal);
      onWait?.(verb, (clock.monotonicMs() - startMs) / 1000);
      return await ask();
    } finally {
      slots.leave();
    }
  }

  return {
    server: client.server,
    get: (path, query, signal) => limited('GET', () => client.get(path, query, signal), signal),
    create: (path, body) => limited('POST', () => client.create(path, body)),
    replace: (path, body) => limited('PUT', () => client.replace(path, body)),
    patch: (path, body, type) => limited('PATCH', () => client.patch(path, body, type)),
    delete: (path) => limited('DELETE', () => client.delete(path)),
    stream: (path, query, signal) => limited('GET', () => client.stream(path, query, signal), signal),
    close: () => client.close(),
  };
}

function tokenBucket(limits: ClientLimits, clock: Clock): (signal: AbortSignal) => Promise<void> {
  const { perSecond = limits.burst ? DEFAULT_PER_SECOND : 0, burst = DEFAULT_BURST } = limits;
  if (perSecond <= 0) return () => Promise.resolve();
  const room = Math.max(1, burst);
  let tokens = room;
  let countedAtMs = clock.monotonicMs();
  return async (signal) => {
    const nowMs = clock.monotonicMs();
    tokens = Math.min(room, tokens + ((nowMs - countedAtMs) * perSecond) / 1000) - 1;
    countedAtMs = nowMs;
    // Below zero the bucket is in debt to those who wait: each comes later by the time of one token.
    if (tokens < 0) await pause(clock, (-tokens * 1000) / perSecond, signal);
  };
}

function slotQueue(slots: number): { enter(): Promise<void>; leave(): void } {
  const waiting: (() => void)[] = [];
  let taken = 0;
  return {
    enter() {
      if (taken < slots) {
        taken++;
        return Promise.resolve();
      }
      return new Promise((resolve) => void waiting.push(resolve));
    },
    leave() {
      const next = waiting.shift();
      if (next === undefined) taken--;
      else next();
    },
  };
}
