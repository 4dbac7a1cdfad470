/** Latencies in buckets that grow by a twentieth, so that a quantile is right to 5 % however many there were. */
import type { Latency } from '../agent-facts.ts';

/** A microsecond; all that is faster counts as one. */
const LEAST_MS = 0.001;
const GROWTH = 1.05;
/** Enough for 10 minutes. */
const BUCKETS = 420;

export class Latencies {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;

  add(ms: number): void {
    if (!(ms >= 0)) return;
    const bucket = Math.ceil(Math.log(Math.max(ms, LEAST_MS) / LEAST_MS) / Math.log(GROWTH));
    const at = Math.min(bucket, BUCKETS - 1);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#count++;
  }

  /** Undefined when there were none. */
  summary(): Latency | undefined {
    if (this.#count === 0) return undefined;
    return { p50: this.#quantile(0.5), p99: this.#quantile(0.99), count: this.#count };
  }

  #quantile(share: number): number {
    let left = Math.ceil(this.#count * share);
    for (let at = 0; at < BUCKETS; at++) {
      left -= this.#counts[at] ?? 0;
      if (left <= 0) return Number((LEAST_MS * GROWTH ** at).toPrecision(3));
    }
    return 0;
  }
}
