/** From a reply of the handlers behind to what the client gets, and to what is remembered of it. */
import { RCODE } from '../../dns/codes.ts';
import { messageLength } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import type { Query, Reply } from '../../server/handler.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { AnswerStore } from './answer-store.ts';
import { type CachedAnswer, cachedAnswer, wantsAuthenticData, withTtl } from './cached-answer.ts';
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

/** AD in a query asks for the AD bit (RFC 6840 section 5.7): the answer serves those who want it and those who do not. */
export function asksForAuthenticData(query: Query): Query {
  const flags = { ...query.message.flags, authenticData: true };
  return { ...query, message: { ...query.message, flags } };
}

/** The reply with the TTL the cache gives it, kept or not. A reply without a message is the server's business. */
export function keep(
  query: Query,
  key: string,
  { reply, options }: { reply: Reply; options: CacheOptions },
): Reply {
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

/** Whether the reply says something about the name; a failure says something about the server. */
export function isTruth(message: Message | undefined): boolean {
  return message?.rcode === RCODE.NOERROR || message?.rcode === RCODE.NXDOMAIN;
}
