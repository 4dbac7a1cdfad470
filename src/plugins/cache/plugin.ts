/**
 * Answers from memory what was answered a moment ago, and remembers what the handlers behind it say. One TTL per message;
 * what may be kept stands in `rules.ts`, where it is kept is the process's answer cache, from which packet threads give
 * the same answers by the same rules without coming here. A hit is answered without a promise.
 */
import { OPCODE, TYPE } from '../../dns/codes.ts';
import type { Question } from '../../dns/message.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import type { Share, StoredAnswer } from '../../wirecache/contract.ts';
import { matchingZone } from '../zones.ts';
import { asksForAuthenticData, type CacheOptions, keeper, keyOf } from './keep.ts';
import type { CacheSpec } from './options.ts';
import { Refresher } from './refresher.ts';
import { isPositive } from './rules.ts';
import { verified } from './verify.ts';
import { remainingTtl, replyFromCache, sectionsOf } from './wire-answer.ts';

interface Found {
  readonly share: Share;
  readonly answer: StoredAnswer;
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
      metrics.requests.inc();
      const found = find(query, options);
      if (found === undefined) {
        metrics.misses.inc();
        return fetchAndKeep(query, { options, next });
      }
      if (found.remaining <= 0) return outdated(query, found, { options, next, refresher });
      metrics.hits[found.share].inc();
      if (refresher.isDue(query, found.answer, found.remaining) && refresher.start(query)) {
        metrics.prefetches.inc();
      }
      return answerFrom(query, found.answer, spec.keepTtl ? found.answer.ttlSeconds : found.remaining);
    };
  };
}

function isCached(query: Query, spec: CacheSpec): boolean {
  return query.message.opcode === OPCODE.QUERY && keepsAnswersTo(query.question, spec);
}

/** Whether answers to such a question are kept at all. */
export function keepsAnswersTo(
  { name, type }: Pick<Question, 'name' | 'type'>,
  { zones }: CacheSpec,
): boolean {
  return type !== TYPE.AXFR && type !== TYPE.IXFR && matchingZone(zones, name) !== undefined;
}

/**
 * Denials come first, but a remembered SERVFAIL gives way to an answer that is still good. Expired answers are handed
 * out as long as `serve_stale` allows and forgotten after that.
 */
function find(query: Query, { clock, partition, spec }: CacheOptions): Found | undefined {
  const key = keyOf(query);
  const nowMs = clock.monotonicMs();
  const staleSeconds = (spec.stale?.upToMs ?? 0) / 1000;
  const look = (share: Share): Found | undefined => {
    const answer = partition.lookup(key, share);
    if (answer === undefined) return undefined;
    const remaining = remainingTtl(answer, nowMs);
    if (remaining > -staleSeconds && !(remaining <= 0 && answer.serverError))
      return { share, answer, remaining };
    partition.remove(key, share);
    return undefined;
  };
  const denial = look('denial');
  if (denial === undefined) return look('success');
  const prefersDenial = denial.remaining > 0 && !denial.answer.serverError;
  if (prefersDenial && !spec.preferPositive) return denial;
  const success = look('success');
  if (spec.preferPositive && success !== undefined && holdsAnswer(query, success)) return success;
  if (prefersDenial) return denial;
  if (success !== undefined && success.remaining > 0) return success;
  return denial.remaining > 0 ? denial : (success ?? denial);
}

function holdsAnswer(query: Query, { answer }: Found): boolean {
  return isPositive(query.question, sectionsOf(answer)?.answers ?? []);
}

interface Chain {
  readonly options: CacheOptions;
  readonly next: Handler;
}

function fetchAndKeep(query: Query, { options, next }: Chain): Reply | Promise<Reply> {
  const keep = keeper(query, options);
  const reply = next(asksForAuthenticData(query));
  return reply instanceof Promise ? reply.then(keep) : keep(reply);
}

function answerFrom(query: Query, answer: StoredAnswer, ttlSeconds: number): Reply {
  const message = replyFromCache(query.message, answer, ttlSeconds);
  return { rcode: message.rcode, message };
}

/** `immediate`: given at once, and asked for behind it. `verify`: asked for first. */
function outdated(
  query: Query,
  { answer, share }: Found,
  { options, next, refresher }: Chain & { refresher: Refresher },
): Reply | Promise<Reply> {
  const { stale } = options.spec;
  if (stale === undefined) return fetchAndKeep(query, { options, next });
  const metrics = options.metricsOf(query.server);
  const serveStale = () => {
    metrics.hits[share].inc();
    metrics.servedStale.inc();
    return answerFrom(query, answer, stale.ttlSeconds);
  };
  if (!stale.verify) {
    refresher.start(query);
    return serveStale();
  }
  return verified(query, { options, next, refresher, stale, share }).then((reply) => {
    if (reply === undefined) return serveStale();
    metrics.misses.inc();
    return reply;
  });
}
