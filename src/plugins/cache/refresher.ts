/**
 * Fetches answers anew while clients are served from what there is: one fetch per key at a time, and a bounded number of
 * them. A failed fetch changes nothing.
 */
import { errorText } from '../../fault/app-error.ts';
import type { Handler, Query } from '../../server/handler.ts';
import type { CachedAnswer } from './cached-answer.ts';
import { asksForAuthenticData, type CacheOptions, isTruth, keep } from './keep.ts';

/** Refreshes in the background at the same time: beyond it an entry simply expires. */
const MOST_REFRESHES = 1000;

export class Refresher {
  readonly #options: CacheOptions;
  readonly #next: Handler;
  readonly #underway = new Set<string>();

  constructor(options: CacheOptions, next: Handler) {
    this.#options = options;
    this.#next = next;
  }

  /** Counts the hit; true when the answer is asked for often and is about to expire. */
  isDue(answer: CachedAnswer, remaining: number): boolean {
    const { clock, spec } = this.#options;
    if (spec.prefetch === undefined) return false;
    const nowMs = clock.monotonicMs();
    const { use } = answer;
    use.hits = nowMs - use.lastMs < spec.prefetch.gapMs ? use.hits + 1 : 1;
    use.lastMs = nowMs;
    const threshold = Math.ceil((spec.prefetch.percent / 100) * answer.ttlSeconds);
    return use.hits >= spec.prefetch.hits && remaining <= threshold;
  }

  /** False when the key is being fetched already, or too many are. */
  start(query: Query, key: string): boolean {
    if (this.#underway.has(key) || this.#underway.size >= MOST_REFRESHES) return false;
    this.#underway.add(key);
    void this.#refresh({ ...query, metadata: new Map() }, key);
    return true;
  }

  /** An error leaves what is there in place: it is refreshed with the next hit, or expires. */
  async #refresh(query: Query, key: string): Promise<void> {
    try {
      const reply = await this.#next(asksForAuthenticData(query));
      if (isTruth(reply.message)) keep(query, key, { reply, options: this.#options });
    } catch (error) {
      this.#options.log.error(`Cannot refresh ${query.question.name}: ${errorText(error)}`);
    } finally {
      this.#underway.delete(key);
    }
  }
}
