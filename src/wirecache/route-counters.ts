/**
 * Adds up what readers counted. Each reader adds to words of its own, plainly; here the difference to the last look is
 * taken, so that a word that ran over does no harm as long as it is looked at once in four thousand million answers.
 */
import type { RouteTotals } from './contract.ts';
import { COUNTED_TYPES, COUNTER, DURATION_BOUNDS, SIZE_BOUNDS } from './counter-layout.ts';
import { COUNTER_WORDS, HEAD, MAX_COUNTED, MAX_SEATS } from './layout.ts';
import type { Memory } from './memory.ts';

export class RouteCounters {
  readonly #memory: Memory;
  readonly #slot: number;
  /** By seat. */
  readonly #seen: Int32Array;

  /** What earlier users of the slot left is not ours. */
  constructor(memory: Memory, slot: number) {
    this.#memory = memory;
    this.#slot = slot;
    this.#seen = new Int32Array(MAX_SEATS * COUNTER.END);
    this.#take();
  }

  takeTotals(): RouteTotals | undefined {
    return totalsOf(this.#take());
  }

  #take(): Float64Array {
    const { words, geometry } = this.#memory;
    const sums = new Float64Array(COUNTER.END);
    const seats = words[HEAD.SEATS] ?? 0;
    for (let seat = 0; seat < seats; seat++) {
      const base = geometry.counters + (seat * MAX_COUNTED + this.#slot) * COUNTER_WORDS;
      for (let i = 0; i < COUNTER.END; i++) {
        const at = seat * COUNTER.END + i;
        const now = Atomics.load(words, base + i);
        sums[i] = (sums[i] ?? 0) + ((now - (this.#seen[at] ?? 0)) >>> 0);
        this.#seen[at] = now;
      }
    }
    return sums;
  }
}

/** Of sums that lie as `COUNTER` says; undefined when there is nothing in them. */
export function totalsOf(sums: Float64Array): RouteTotals | undefined {
  const requests = COUNTED_TYPES.flatMap((type, i) => [
    { family: '1' as const, type, count: sums[COUNTER.REQUESTS + i] ?? 0 },
    { family: '2' as const, type, count: sums[COUNTER.REQUESTS + COUNTED_TYPES.length + i] ?? 0 },
  ]).filter(({ count }) => count > 0);
  const durations = bucketsFrom(sums, COUNTER.DURATIONS, DURATION_BOUNDS);
  // Durations follow at the end of a batch: they may be all that is new.
  if (requests.length === 0 && durations.length === 0) return undefined;
  const sum = (field: number) => sums[field] ?? 0;
  return {
    transport: 'udp',
    requests,
    rcodes: Array.from({ length: 16 }, (_, rcode) => ({
      rcode,
      count: sum(COUNTER.RCODES + rcode),
    })).filter(({ count }) => count > 0),
    doRequests: sum(COUNTER.DNSSEC_OK),
    requestSizes: bucketsFrom(sums, COUNTER.REQUEST_SIZES, SIZE_BOUNDS),
    requestBytes: sum(COUNTER.REQUEST_BYTES),
    responseSizes: bucketsFrom(sums, COUNTER.RESPONSE_SIZES, SIZE_BOUNDS),
    responseBytes: sum(COUNTER.RESPONSE_BYTES),
    durations: durations.map(({ upTo, count }) => ({ upToSeconds: upTo, count })),
    durationSeconds: sum(COUNTER.MICROSECONDS) / 1e6,
    successHits: sum(COUNTER.SUCCESS_HITS),
    denialHits: sum(COUNTER.DENIAL_HITS),
  };
}

function bucketsFrom(
  sums: Float64Array,
  field: number,
  bounds: readonly number[],
): { upTo: number; count: number }[] {
  return [...bounds, Number.POSITIVE_INFINITY]
    .map((upTo, i) => ({ upTo, count: sums[field + i] ?? 0 }))
    .filter(({ count }) => count > 0);
}
