/** What `zerohop status` has of the health of backends, as JSON. */
import type { CacheRow } from './cache-desk.ts';
import type { ProbeRow } from './prober.ts';

export interface HealthReport {
  /** Absent: caches are not listened for. */
  readonly heartbeatSocket?: string;
  readonly probing: boolean;
  /** What the kernel asks of each backend beside its socket. */
  readonly backends: readonly {
    readonly address: string;
    readonly port: number;
    readonly seat?: number;
    readonly down?: string;
  }[];
  /** Connected caches. */
  readonly caches: readonly {
    readonly seat: number;
    readonly state: CacheRow['state'];
    readonly sinceMs: number;
    readonly addresses: readonly string[];
    readonly ports: readonly number[];
    readonly threads: number;
    /** Since the last beat of each of its threads, the main thread's first. */
    readonly beatAgesMs: readonly number[];
  }[];
  /** Connections that were ended because of what they said, or because there were too many. */
  readonly refusedCaches: number;
  readonly probes: readonly ProbeRow[];
}
