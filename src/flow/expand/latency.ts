/** Time from a query to its answer, by trace id. Bounded: pods decide how many queries stay without an answer. */
export interface LatencyTable {
  /** For a query remembers `timeNs`; for an answer gives the nanoseconds since its query, if that is still known. */
  measure(traceId: string, response: boolean, timeNs: bigint): bigint | undefined;
}

export const MAX_OPEN_QUERIES = 8192;
/** An answer that comes later belongs to another query with the same id. */
const MAX_LATENCY_NS = 30_000_000_000n;

export function createLatencyTable(): LatencyTable {
  const askedAt = new Map<string, bigint>();
  return {
    measure(traceId, response, timeNs) {
      const asked = askedAt.get(traceId);
      askedAt.delete(traceId);
      if (response) {
        const latency = asked === undefined ? -1n : timeNs - asked;
        return latency >= 0n && latency <= MAX_LATENCY_NS ? latency : undefined;
      }
      askedAt.set(traceId, timeNs);
      if (askedAt.size > MAX_OPEN_QUERIES) {
        const [oldest = ''] = askedAt.keys();
        askedAt.delete(oldest);
      }
      return undefined;
    },
  };
}
