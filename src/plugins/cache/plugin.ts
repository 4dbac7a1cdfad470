/**
 * Answers from memory what was answered a moment ago, and remembers what the handlers behind it say. One TTL per message;
 * what may be kept stands in `rules.ts`, where it is kept in `answer-store.ts`. A hit is answered without a promise.
 */
import { OPCODE, TYPE } from '../../dns/codes.ts';
import { canonicalName } from '../../dns/name.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import { matchingZone } from '../zones.ts';
import { type CachedAnswer, remainingTtl, replyFromCache } from './cached-answer.ts';
import { asksForAuthenticData, type CacheOptions, isTruth, keep } from './keep.ts';
import type { CacheSpec } from './options.ts';
import { Refresher } from './refresher.ts';
import type { Share } from './rules.ts';

interface Found {
  readonly share: Share;
  readonly answer: CachedAnswer;
  /** Seconds; 0 or less for an expired answer within the stale window. */
  readonly remaining: number;
}

export function cache(options: CacheOptions): Plugin {
  const { spec } = options;
  return (next) => {
    const refresher = new Refresher(options, next);
    return (query) => {
      if (!isCached(query, spec)) return next(query);
      const metrics = options.metricsOf(query.server);
      const key = cacheKey(query);
      metrics.requests.inc();
      const found = find(key, options);
      if (found === undefined) {
        metrics.misses.inc();
        return fetchAndKeep(query, key, { options, next });
      }
      if (found.remaining <= 0 && spec.stale?.verify) return verified(query, { key, found, options, next });
      metrics.hits[found.share].inc();
      if (found.remaining <= 0) {
        metrics.servedStale.inc();
        refresher.start(query, key);
        return answerFrom(query, found.answer, 0);
      }
      if (refresher.isDue(found.answer, found.remaining) && refresher.start(query, key)) {
        metrics.prefetches.inc();
      }
      return answerFrom(query, found.answer, spec.keepTtl ? found.answer.ttlSeconds : found.remaining);
    };
  };
}

function isCached(query: Query, spec: CacheSpec): boolean {
  const { type, name } = query.question;
  if (query.message.opcode !== OPCODE.QUERY || type === TYPE.AXFR || type === TYPE.IXFR) return false;
  return matchingZone(spec.zones, name) !== undefined;
}

/** Everything that may change the answer. Whole, not hashed: two questions never share an entry. */
function cacheKey({ message, question }: Query): string {
  const bits = (message.edns?.dnssecOk ? 1 : 0) | (message.flags.checkingDisabled ? 2 : 0);
  const kind = (question.type * 0x1_0000 + question.class) * 4 + bits;
  return `${kind} ${canonicalName(question.name)}`;
}

/**
 * Denials come first, but a remembered SERVFAIL gives way to an answer that is still good. Expired answers are handed
 * out as long as `serve_stale` allows and forgotten after that.
 */
function find(key: string, { clock, spec, stores }: CacheOptions): Found | undefined {
  const nowMs = clock.monotonicMs();
  const staleSeconds = (spec.stale?.upToMs ?? 0) / 1000;
  const look = (share: Share): Found | undefined => {
    const answer = stores[share].lookup(key);
    if (answer === undefined) return undefined;
    const remaining = remainingTtl(answer, nowMs);
    if (remaining > -staleSeconds && !(remaining <= 0 && answer.serverError))
      return { share, answer, remaining };
    stores[share].remove(key);
    return undefined;
  };
  const denial = look('denial');
  if (denial !== undefined && denial.remaining > 0 && !denial.answer.serverError) return denial;
  const success = look('success');
  if (success !== undefined && success.remaining > 0) return success;
  return denial !== undefined && denial.remaining > 0 ? denial : (success ?? denial);
}

interface Chain {
  readonly options: CacheOptions;
  readonly next: Handler;
}

function fetchAndKeep(query: Query, key: string, { options, next }: Chain): Reply | Promise<Reply> {
  const reply = next(asksForAuthenticData(query));
  if (!(reply instanceof Promise)) return keep(query, key, { reply, options });
  return reply.then((settled) => keep(query, key, { reply: settled, options }));
}

function answerFrom(query: Query, answer: CachedAnswer, ttlSeconds: number): Reply {
  const message = replyFromCache(query.message, answer, ttlSeconds);
  return { rcode: message.rcode, message };
}

/** Asks first, and falls back on the expired answer when nothing better than an error comes. */
async function verified(
  query: Query,
  { key, found, options, next }: Chain & { key: string; found: Found },
): Promise<Reply> {
  const metrics = options.metricsOf(query.server);
  const reply = await next(asksForAuthenticData(query));
  if (isTruth(reply.message)) {
    metrics.misses.inc();
    return keep(query, key, { reply, options });
  }
  metrics.hits[found.share].inc();
  metrics.servedStale.inc();
  return answerFrom(query, found.answer, 0);
}
