/**
 * How long to stay away after a failure: doubling with full spread over the upper half, so that a thousand nodes whose
 * API server has come back do not all knock in the same instant.
 */
export interface Backoff {
  /** Milliseconds to wait now; each call doubles the next, until `reset`. */
  nextMs(): number;
  reset(): void;
}

export interface BackoffSpec {
  readonly firstMs: number;
  readonly maxMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export function createBackoff(spec: BackoffSpec): Backoff {
  let failures = 0;
  return {
    nextMs() {
      const ceilingMs = Math.min(spec.maxMs, spec.firstMs * 2 ** failures);
      if (ceilingMs < spec.maxMs) failures++;
      return ceilingMs * (0.5 + spec.random() / 2);
    },
    reset() {
      failures = 0;
    },
  };
}
