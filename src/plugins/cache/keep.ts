/** From a reply of the handlers behind to what the client gets, and to what is remembered of it. */
import { RCODE } from '../../dns/codes.ts';
import type { Message, Question } from '../../dns/message.ts';
import type { Query, Reply } from '../../server/handler.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { AnswerKey, Partition, Share, WireAnswer } from '../../wirecache/contract.ts';
import type { CacheMetrics } from './metrics.ts';
import type { CacheSpec } from './options.ts';
import { isPositive, judge, repeats } from './rules.ts';
import { remainingTtl, sectionsOf, wantsAuthenticData, wireAnswer, withTtl } from './wire-answer.ts';

export interface CacheOptions {
  readonly spec: CacheSpec;
  readonly partition: Partition;
  readonly clock: Clock;
  readonly log: Log;
  readonly metricsOf: (server: string) => CacheMetrics;
}

/** Everything that may change the answer. */
export function keyOf({ message, question }: Query): AnswerKey {
  return {
    name: question.name,
    type: question.type,
    class: question.class,
    dnssecOk: message.edns?.dnssecOk === true,
    checkingDisabled: message.flags.checkingDisabled,
  };
}

/** AD in a query asks for the AD bit (RFC 6840 section 5.7): the answer serves those who want it and those who do not. */
export function asksForAuthenticData(query: Query): Query {
  const flags = { ...query.message.flags, authenticData: true };
  return { ...query, message: { ...query.message, flags } };
}

/**
 * To be made before the handlers behind are asked: what they answer is not kept when the name was purged meanwhile. Gives
 * the reply with the TTL of the cache, kept or not. A reply without a message is the server's business.
 */
export function keeper(query: Query, options: CacheOptions): (reply: Reply) => Reply {
  const since = options.partition.purges;
  return (reply) => keep(query, reply, { options, since });
}

function keep(
  query: Query,
  reply: Reply,
  { options, since }: { options: CacheOptions; since: number },
): Reply {
  const { clock, metricsOf, spec } = options;
  const { message } = reply;
  if (message === undefined) return reply;
  const nowSeconds = clock.nowMs() / 1000;
  const verdict = judge(query.question, message, { spec, nowSeconds });
  if (verdict.mismatch) metricsOf(query.server).drops.inc();
  const timed = { ...message, ...withTtl(message, verdict.ttlSeconds) };
  if (verdict.share !== undefined && !options.partition.isOutdated(query.question.name, since)) {
    const { serverError, ttlSeconds } = verdict;
    const answer = wireAnswer(timed, { ttlSeconds, serverError, storedMs: clock.monotonicMs() });
    if (answer !== undefined) insert(query, answer, { share: verdict.share, message, options });
  }
  const authenticData = message.flags.authenticData && wantsAuthenticData(query.message);
  if (authenticData === message.flags.authenticData) return { ...reply, message: timed };
  return { ...reply, message: { ...timed, flags: { ...message.flags, authenticData } } };
}

interface Place {
  readonly share: Share;
  readonly message: Message;
  readonly options: CacheOptions;
}

/** A new truth replaces the old one in the other share; a server's failure is no truth about the name. */
function insert(query: Query, answer: WireAnswer, { share, message, options }: Place): void {
  const { metricsOf, partition, spec } = options;
  const key = keyOf(query);
  const metrics = metricsOf(query.server);
  const isPoorer = () => share === 'denial' || !isPositive(query.question, message.answers);
  const spared = spec.preferPositive && isPoorer() && holdsPositive(query.question, key, options);
  if (spared && share === 'success') return;
  const evicted = partition.insert(key, share, answer);
  if (!answer.serverError && !spared) partition.remove(key, share === 'success' ? 'denial' : 'success');
  metrics.evictions.success.inc(evicted.success);
  metrics.evictions.denial.inc(evicted.denial);
  showEntries(metrics, partition);
}

/** Whether there is an answer that `serve_stale_policy prefer_positive` must not lose to this reply. */
function holdsPositive(question: Question, key: AnswerKey, options: CacheOptions): boolean {
  const { clock, partition, spec } = options;
  const stored = partition.lookup(key, 'success');
  if (stored === undefined) return false;
  const staleSeconds = (spec.stale?.upToMs ?? 0) / 1000;
  if (remainingTtl(stored, clock.monotonicMs()) <= -staleSeconds) return false;
  return isPositive(question, sectionsOf(stored)?.answers ?? []);
}

export function showEntries(metrics: CacheMetrics, { entries }: Partition): void {
  metrics.entries.success.set(entries.success);
  metrics.entries.denial.set(entries.denial);
}

/** Whether the reply says something about the name, whole; a failure says something about the server. */
export function isTruth({ question }: Query, message: Message | undefined): boolean {
  if (message === undefined || message.flags.truncated || !repeats(question, message)) return false;
  return message.rcode === RCODE.NOERROR || message.rcode === RCODE.NXDOMAIN;
}
