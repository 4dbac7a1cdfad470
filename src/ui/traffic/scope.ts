/**
 * What is counted of one client, or of all: a ring of seconds with a count and a latency histogram for each arrow of the
 * drawing, and beside it a longer line of points for the curves. Of fixed size; `turn` ends a second.
 */
import type { EdgeName, WireEdge, WirePoint, WireReason, WireWay } from '../wire.ts';
import { HISTOGRAM_STEPS, latencyStep, quantile } from './latency-histogram.ts';
import type { BookedQuery } from './query-book.ts';

export const EDGES: readonly EdgeName[] = [
  'pod-hook',
  'hook-cache',
  'hook-cluster',
  'hook-upstream',
  'cache-cluster',
  'cache-upstream',
  'cluster-upstream',
  'hook-kernel',
];
/** Rates and latencies are over so many seconds: long enough for a p99 to mean something, short enough to be live. */
export const WINDOW_SECONDS = 15;
export const POINTS = 300;
export const HISTORY_SECONDS = 30;
const MAX_REASONS = 8;

const TALLIES = [
  'entered',
  'fellBack',
  'bypassed',
  'hits',
  'misses',
  'failures',
  'unanswered',
  'dropped',
] as const;
type Tally = (typeof TALLIES)[number];

/** One second of one scope. */
class Second {
  readonly counts = new Uint32Array(EDGES.length);
  readonly latencies = new Uint32Array(EDGES.length * HISTOGRAM_STEPS);
  readonly tallies = new Uint32Array(TALLIES.length);

  clear(): void {
    this.counts.fill(0);
    this.latencies.fill(0);
    this.tallies.fill(0);
  }
}

export class Scope {
  readonly #ring = Array.from({ length: WINDOW_SECONDS }, () => new Second());
  readonly #points: WirePoint[] = [];
  readonly #reasons = new Map<string, WireReason>();
  #at = 0;
  #filled = 1;
  node = '';

  /** A client's own query; it counts for `weight`. */
  countOwn(query: BookedQuery, weight = 1): void {
    this.node = query.node;
    this.#tally(query.outcome === 'fell-back' ? 'fellBack' : query.outcome, weight);
    this.#edge(0, query.ms, weight);
    if (query.outcome !== 'dropped') this.#edge(edgeOf(query), query.ms, weight);
    if (query.rcode === undefined) this.#tally('unanswered', weight);
    else if (query.rcode !== 'NOERROR' && query.rcode !== 'NXDOMAIN') this.#tally('failures', weight);
    if ((query.byKernel || query.serverRole === 'cache') && query.rcode !== undefined)
      this.#tally(query.askedFurther ? 'misses' : 'hits', weight);
    if (query.reason !== undefined) this.#reason(query.outcome, query.reason, weight);
  }

  /** A query that a server asked on, for the sake of this client. */
  countFurther(query: BookedQuery, weight = 1): void {
    if (query.asker === 'cluster-dns') this.#edge(6, query.ms, weight);
    else this.#edge(query.serverRole === 'cluster-dns' ? 4 : 5, query.ms, weight);
  }

  /** Ends the second that is counted now; gives its point. */
  turn(second: number): WirePoint {
    const now = this.#now;
    const tallies = (name: Tally) => now.tallies[TALLIES.indexOf(name)] ?? 0;
    const all = now.latencies.subarray(0, HISTOGRAM_STEPS);
    const point = [
      second,
      tallies('entered'),
      tallies('fellBack'),
      tallies('bypassed'),
      tallies('hits'),
      tallies('misses'),
      rounded(quantile(all, 0.5)) ?? -1,
      rounded(quantile(all, 0.99)) ?? -1,
      tallies('dropped'),
    ];
    this.#points.push(point);
    if (this.#points.length > POINTS) this.#points.shift();
    this.#at = (this.#at + 1) % WINDOW_SECONDS;
    this.#filled = Math.min(WINDOW_SECONDS, this.#filled + 1);
    this.#now.clear();
    for (const [key, row] of this.#reasons) {
      if (row.count < 0.5) this.#reasons.delete(key);
      else this.#reasons.set(key, { ...row, count: row.count * (1 - 1 / WINDOW_SECONDS) });
    }
    return point;
  }

  /** Oldest first. */
  points(): readonly WirePoint[] {
    return this.#points;
  }

  /** Queries of each of the last seconds, oldest first. */
  history(): readonly number[] {
    const last = this.#points.slice(-HISTORY_SECONDS);
    return last.map(
      ([, entered = 0, fellBack = 0, bypassed = 0, , , , , dropped = 0]) =>
        entered + fellBack + bypassed + dropped,
    );
  }

  sum(name: Tally): number {
    const index = TALLIES.indexOf(name);
    return this.#ring.reduce((total, { tallies }) => total + (tallies[index] ?? 0), 0);
  }

  /** A second. */
  rate(name: Tally): number {
    return rounded(this.sum(name) / this.#seconds) ?? 0;
  }

  edge(index: number): WireEdge {
    const merged = new Float64Array(HISTOGRAM_STEPS);
    let count = 0;
    for (const { counts, latencies } of this.#ring) {
      count += counts[index] ?? 0;
      if ((counts[index] ?? 0) === 0) continue;
      for (let i = 0; i < HISTOGRAM_STEPS; i++)
        merged[i] = (merged[i] ?? 0) + (latencies[index * HISTOGRAM_STEPS + i] ?? 0);
    }
    const p50 = rounded(quantile(merged, 0.5));
    const p99 = rounded(quantile(merged, 0.99));
    const rate = rounded(count / this.#seconds) ?? 0;
    const name = EDGES[index] ?? 'pod-hook';
    return { name, rate, ...(p50 === undefined ? {} : { p50 }), ...(p99 === undefined ? {} : { p99 }) };
  }

  way(): WireWay {
    const hits = this.sum('hits');
    const served = hits + this.sum('misses');
    return {
      edges: EDGES.map((_, index) => this.edge(index)),
      ...(served === 0 ? {} : { hitShare: hits / served }),
      fellBackRate: this.rate('fellBack'),
      bypassedRate: this.rate('bypassed'),
      droppedRate: this.rate('dropped'),
      failureRate: this.rate('failures'),
      unansweredRate: this.rate('unanswered'),
      reasons: this.#topReasons(),
    };
  }

  get #now(): Second {
    return this.#ring[this.#at] ?? new Second();
  }

  /** The second that has only begun would make each rate too low; it counts for half. */
  get #seconds(): number {
    return Math.max(1, this.#filled - 0.5);
  }

  #tally(name: Tally, weight: number): void {
    const index = TALLIES.indexOf(name);
    this.#now.tallies[index] = (this.#now.tallies[index] ?? 0) + weight;
  }

  #edge(index: number, ms: number | undefined, weight: number): void {
    const now = this.#now;
    now.counts[index] = (now.counts[index] ?? 0) + weight;
    if (ms === undefined) return;
    const at = index * HISTOGRAM_STEPS + latencyStep(ms);
    now.latencies[at] = (now.latencies[at] ?? 0) + weight;
  }

  #reason(outcome: WireReason['outcome'], reason: string, weight: number): void {
    const key = `${outcome} ${reason}`;
    if (this.#reasons.size >= MAX_REASONS && !this.#reasons.has(key)) return;
    this.#reasons.set(key, { outcome, reason, count: (this.#reasons.get(key)?.count ?? 0) + weight });
  }

  #topReasons(): readonly WireReason[] {
    return [...this.#reasons.values()]
      .sort((a, b) => b.count - a.count)
      .map((row) => ({ ...row, count: Math.round(row.count) }));
  }
}

/** Where it goes from the hook. */
function edgeOf({ byKernel, serverRole }: BookedQuery): number {
  if (byKernel) return EDGES.indexOf('hook-kernel');
  return serverRole === 'cache' ? 1 : serverRole === 'cluster-dns' ? 2 : 3;
}

/** Three digits are what anybody reads, and make the snapshot small. */
function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toPrecision(3));
}
