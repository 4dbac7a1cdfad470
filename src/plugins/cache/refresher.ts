/**
 * Fetches answers anew while clients are served from what there is: one fetch per key at a time, and a bounded number of
 * them. A failed fetch changes nothing but the time of the next one.
 */
import { canonicalName } from '../../dns/name.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Handler, Query } from '../../server/handler.ts';
import type { StoredAnswer } from '../../wirecache/contract.ts';
import { asksForAuthenticData, type CacheOptions, isTruth, keeper, keyOf } from './keep.ts';

/** Refreshes in the background at the same time: beyond it an entry simply expires. */
const MOST_REFRESHES = 1000;
/** Failures that are remembered; beyond it the oldest is forgotten, and asked for again sooner. */
const MOST_FAILURES = 10_000;

export class Refresher {
  readonly #options: CacheOptions;
  readonly #next: Handler;
  readonly #underway = new Set<string>();
  /** When a key may be fetched again, oldest failure first. */
  readonly #pausedUntilMs = new Map<string, number>();

  constructor(options: CacheOptions, next: Handler) {
    this.#options = options;
    this.#next = next;
  }

  /** Counts the hit; true when the answer is asked for often and is about to expire. */
  isDue(query: Query, answer: StoredAnswer, remaining: number): boolean {
    const { clock, partition, spec } = this.#options;
    if (spec.prefetch === undefined) return false;
    const hits = partition.countHit(keyOf(query), answer.share, clock.monotonicMs());
    const threshold = Math.ceil((spec.prefetch.percent / 100) * answer.ttlSeconds);
    return hits >= spec.prefetch.hits && remaining <= threshold;
  }

  /** False when it is being fetched already, has failed lately, or too many are fetched. */
  start(query: Query): boolean {
    if (this.#underway.size >= MOST_REFRESHES || this.isPaused(query)) return false;
    const ended = this.begin(query);
    void this.#refresh({ ...query, metadata: new Map() }, ended);
    return true;
  }

  /** Whether the key is being fetched, or a failure is so recent that it should not be. */
  isPaused(query: Query): boolean {
    const key = textOf(query);
    if (this.#underway.has(key)) return true;
    const until = this.#pausedUntilMs.get(key);
    return until !== undefined && this.#options.clock.monotonicMs() < until;
  }

  /** Marks the key as being fetched; the caller says how it ended. */
  begin(query: Query): (fetched: boolean) => void {
    const key = textOf(query);
    this.#underway.add(key);
    return (fetched) => {
      this.#underway.delete(key);
      this.#pausedUntilMs.delete(key);
      const recheckMs = this.#options.spec.stale?.recheckMs ?? 0;
      if (fetched || recheckMs === 0) return;
      const [oldest] = this.#pausedUntilMs.keys();
      if (this.#pausedUntilMs.size >= MOST_FAILURES && oldest !== undefined)
        this.#pausedUntilMs.delete(oldest);
      this.#pausedUntilMs.set(key, this.#options.clock.monotonicMs() + recheckMs);
    };
  }

  /** What went wrong in a fetch that no client waits for. */
  report(query: Query, error: unknown): void {
    this.#options.log.error(`Cannot refresh ${query.question.name}: ${errorText(error)}`);
  }

  /** An error leaves what is there in place: it is refreshed with a later hit, or expires. */
  async #refresh(query: Query, ended: (fetched: boolean) => void): Promise<void> {
    let fetched = false;
    const keep = keeper(query, this.#options);
    try {
      const reply = await this.#next(asksForAuthenticData(query));
      fetched = isTruth(query, reply.message);
      if (fetched) keep(reply);
    } catch (error) {
      this.report(query, error);
    } finally {
      ended(fetched);
    }
  }
}

function textOf(query: Query): string {
  const { name, type, class: of, dnssecOk, checkingDisabled } = keyOf(query);
  return `${type} ${of} ${dnssecOk ? 'do' : ''}${checkingDisabled ? 'cd' : ''} ${canonicalName(name)}`;
}
