/**
 * The seam to the Kubernetes API: plugins say what they need, watches are shared among those who need the same. The code
 * behind it is only loaded for Corefiles that use it.
 */
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import type { ClusterNeed } from '../plugins/contract.ts';
import type { Readable } from '../store/store.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface ClusterSource {
  /** Starts watching; `log` gets the client's troubles. */
  open(need: ClusterNeed, log: Log): { readonly snapshot: Readable<ClusterSnapshot>; close(): void };
}

export interface ClusterSourceOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Without it nobody counts the requests. */
  readonly metrics?: Metrics;
}

export async function loadClusterSource({
  clock,
  random,
  metrics,
}: ClusterSourceOptions): Promise<ClusterSource> {
  const [{ measuredClient }, { loadKubeConfig }, { startClusterWatch }] = await Promise.all([
    import('./measured-client.ts'),
    import('../kube/config/load-kube-config.ts'),
    import('../kube/cluster-watch.ts'),
  ]);
  return {
    open({ kinds, endpoint, kubeconfig, tls, limits, ...selectors }, log) {
      const config = loadKubeConfig({
        ...(endpoint === undefined ? {} : { endpoint }),
        ...(kubeconfig === undefined ? {} : { kubeconfig }),
        ...(tls === undefined ? {} : { tls }),
      });
      const client = measuredClient(config, { clock, metrics, limits });
      const watch = startClusterWatch({ client, kinds, ...selectors, log, clock, random });
      return {
        snapshot: watch.snapshot,
        close() {
          watch.close();
          void client.close();
        },
      };
    },
  };
}

/**
 * Lets configurations that follow each other share a watch with the same need: a reload lists nothing anew, waits for
 * nothing, and loses nothing while the API server is away. Needs with files of their own are left out: a reload shall
 * read those again.
 */
export function shareWatches(source: ClusterSource): ClusterSource {
  const shared = new Map<string, { users: number; readonly watch: ReturnType<ClusterSource['open']> }>();
  return {
    open(need, log) {
      if (need.kubeconfig !== undefined || need.tls !== undefined) return source.open(need, log);
      const key = needKey(need);
      const entry = shared.get(key) ?? { users: 0, watch: source.open(need, log) };
      shared.set(key, entry);
      entry.users++;
      return {
        snapshot: entry.watch.snapshot,
        close() {
          if (--entry.users > 0) return;
          shared.delete(key);
          entry.watch.close();
        },
      };
    },
  };
}

function needKey(need: ClusterNeed): string {
  return JSON.stringify({ ...need, kinds: [...need.kinds].sort() });
}

/** The watches of one configuration: opened once per distinct need, closed together. */
export class ClusterShare {
  readonly #source: ClusterSource;
  readonly #open = new Map<string, ReturnType<ClusterSource['open']>>();

  constructor(source: ClusterSource) {
    this.#source = source;
  }

  get(need: ClusterNeed, log: Log): Readable<ClusterSnapshot> {
    const key = needKey(need);
    const watch = this.#open.get(key) ?? this.#source.open(need, log);
    this.#open.set(key, watch);
    return watch.snapshot;
  }

  close(): void {
    for (const watch of this.#open.values()) watch.close();
    this.#open.clear();
  }
}
