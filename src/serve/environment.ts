/** What a configuration is made in: everything of the process that outlives it, injected for tests. */
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AnswerCache } from '../wirecache/contract.ts';
import type { ClusterSource } from './cluster-source.ts';
import type { UdpSettings } from './hot/hot-answers.ts';

export interface ServeEnvironment {
  /** `prefix` goes between level and text: `plugin/errors: `. */
  readonly log: (prefix: string) => Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Where relative paths in directives start. */
  readonly directory: string;
  /** Port of keys that name none. */
  readonly defaultPort: number;
  /** The next process may open the addresses of health pages and metrics while this one still has them. */
  readonly sharesPages?: boolean;
  /** `[DEBUG]` lines of the whole process from now on, or none (the `debug` plugin). */
  readonly setDebug: (enabled: boolean) => void;
  /** Where `cache` keeps its answers; packet threads answer from it. */
  readonly answers: AnswerCache;
  /** How datagrams are read; absent: by the main thread. */
  readonly udp?: UdpSettings;
  /** Called once, when a Corefile needs the cluster. */
  readonly loadCluster: () => Promise<ClusterSource>;
}
