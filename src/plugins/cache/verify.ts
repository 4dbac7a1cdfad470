/**
 * `serve_stale verify`: asks first, and falls back on the expired answer when nothing better than an error comes, or
 * nothing in time. What comes too late for the client is kept for the next one.
 */
import type { Handler, Query, Reply } from '../../server/handler.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Share } from '../../wirecache/contract.ts';
import { asksForAuthenticData, type CacheOptions, isTruth, keeper } from './keep.ts';
import type { StaleSpec } from './options.ts';
import type { Refresher } from './refresher.ts';
import { isPositive } from './rules.ts';

export interface Verification {
  readonly options: CacheOptions;
  readonly next: Handler;
  readonly refresher: Refresher;
  readonly stale: StaleSpec;
  /** Of the expired answer. */
  readonly share: Share;
}

/** The reply to give, or undefined when the expired answer has to do. */
export async function verified(query: Query, verification: Verification): Promise<Reply | undefined> {
  const { options, refresher, stale } = verification;
  if (stale.recheckMs > 0 && refresher.isPaused(query)) return undefined;
  const fetching = fetchAnew(query, verification);
  if (stale.timeoutMs === 0) return await fetching;
  const { late, cancel } = timeout(options.clock, stale.timeoutMs);
  let isLate = false;
  const guarded = fetching.catch((error) => {
    if (!isLate) throw error;
    refresher.report(query, error);
    return undefined;
  });
  try {
    return await Promise.race([guarded, late]);
  } finally {
    isLate = true;
    cancel();
  }
}

async function fetchAnew(query: Query, verification: Verification): Promise<Reply | undefined> {
  const { options, next, refresher } = verification;
  const ended = refresher.begin(query);
  let fetched = false;
  const keep = keeper(query, options);
  try {
    const reply = await next(asksForAuthenticData(query));
    fetched = isTruth(query, reply.message);
    if (!fetched) return undefined;
    const kept = keep(reply);
    const isBetter = isPositive(query.question, reply.message?.answers ?? []);
    return options.spec.preferPositive && verification.share === 'success' && !isBetter ? undefined : kept;
  } finally {
    ended(fetched);
  }
}

function timeout(clock: Clock, ms: number): { late: Promise<undefined>; cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = clock.after(ms, () => resolve(undefined));
  return { late: promise, cancel: () => timer.cancel() };
}
