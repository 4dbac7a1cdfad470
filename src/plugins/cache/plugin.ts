/**
 * Answers from memory what was answered a moment ago, and remembers what the handlers behind it say. One TTL per message;
 * what may be kept stands in `rules.ts`, where it is kept in `answer-store.ts`. A hit is answered without a promise.
 */
import { OPCODE, RCODE, TYPE } from '../../dns/codes.ts';
import { messageLength } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { canonicalName } from '../../dns/name.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { matchingZone } from '../zones.ts';
import type { AnswerStore } from './answer-store.ts';
import {
  type CachedAnswer,
  cachedAnswer,
  remainingTtl,
  replyFromCache,
  wantsAuthenticData,
  withTtl,
} from './cached-answer.ts';
import type { CacheMetrics } from './metrics.ts';
import type { CacheSpec } from './options.ts';
import { judge, type Share } from './rules.ts';

export interface CacheOptions {
  readonly spec: CacheSpec;
  readonly stores: Readonly<Record<Share, AnswerStore<CachedAnswer>>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metricsOf: (server: string) => CacheMetrics;
}

/** Refreshes in the background at the same time: beyond it an entry simply expires. */
const MOST_REFRESHES = 1000;

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
      if (refresher.isDue(found)) {
        metrics.prefetches.inc();
        refresher.start(query, key);
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
  return `${question.type} ${question.class} ${bits} ${canonicalName(question.name)}`;
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

/** AD in a query asks for the AD bit (RFC 6840 section 5.7): the answer serves those who want it and those who do not. */
function asksForAuthenticData(query: Query): Query {
  const flags = { ...query.message.flags, authenticData: true };
  return { ...query, message: { ...query.message, flags } };
}

/** The reply with the TTL the cache gives it, kept or not. A reply without a message is the server's business. */
function keep(query: Query, key: string, { reply, options }: { reply: Reply; options: CacheOptions }): Reply {
  const { clock, metricsOf, spec } = options;
  const { message } = reply;
  if (message === undefined) return reply;
  const nowSeconds = clock.nowMs() / 1000;
  const verdict = judge(query.question, message, { spec, nowSeconds });
  if (verdict.mismatch) metricsOf(query.server).drops.inc();
  if (verdict.share !== undefined) {
    const { serverError, ttlSeconds } = verdict;
    const answer = cachedAnswer(message, { ttlSeconds, serverError, storedMs: clock.monotonicMs() });
    insert(key, answer, {
      share: verdict.share,
      bytes: messageLength(message),
      server: query.server,
      options,
    });
  }
  const authenticData = message.flags.authenticData && wantsAuthenticData(query.message);
  const flags = { ...message.flags, authenticData };
  return { ...reply, message: { ...message, ...withTtl(message, verdict.ttlSeconds), flags } };
}

interface Place {
  readonly share: Share;
  readonly bytes: number;
  readonly server: string;
  readonly options: CacheOptions;
}

/** A new truth replaces the old one in the other share; a server's failure is no truth about the name. */
function insert(key: string, answer: CachedAnswer, { share, bytes, server, options }: Place): void {
  const { metricsOf, stores } = options;
  const metrics = metricsOf(server);
  const other: Share = share === 'success' ? 'denial' : 'success';
  metrics.evictions[share].inc(stores[share].insert(key, answer, bytes));
  if (!answer.serverError) stores[other].remove(key);
  metrics.entries.success.set(stores.success.size);
  metrics.entries.denial.set(stores.denial.size);
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

function isTruth(message: Message | undefined): boolean {
  return message?.rcode === RCODE.NOERROR || message?.rcode === RCODE.NXDOMAIN;
}

/** Fetches answers anew while clients are served from what there is. One fetch per key at a time. */
class Refresher {
  readonly #options: CacheOptions;
  readonly #next: Handler;
  readonly #underway = new Set<string>();

  constructor(options: CacheOptions, next: Handler) {
    this.#options = options;
    this.#next = next;
  }

  /** Counts the hit; true when the answer is asked for often and is about to expire. */
  isDue({ answer, remaining }: Found): boolean {
    const { clock, spec } = this.#options;
    if (spec.prefetch === undefined) return false;
    const nowMs = clock.monotonicMs();
    const { use } = answer;
    use.hits = nowMs - use.lastMs < spec.prefetch.gapMs ? use.hits + 1 : 1;
    use.lastMs = nowMs;
    const threshold = Math.ceil((spec.prefetch.percent / 100) * answer.ttlSeconds);
    return use.hits >= spec.prefetch.hits && remaining <= threshold;
  }

  start(query: Query, key: string): void {
    if (this.#underway.has(key) || this.#underway.size >= MOST_REFRESHES) return;
    this.#underway.add(key);
    void this.#refresh({ ...query, metadata: new Map() }, key);
  }

  /** An error leaves what is there in place: it is refreshed with the next hit, or expires. */
  async #refresh(query: Query, key: string): Promise<void> {
    try {
      const reply = await this.#next(asksForAuthenticData(query));
      if (isTruth(reply.message)) keep(query, key, { reply, options: this.#options });
    } catch (error) {
      this.#options.log.error(`Cannot refresh ${query.question.name}: ${String(error)}`);
    } finally {
      this.#underway.delete(key);
    }
  }
}
