/**
 * Keeps one `ClusterSnapshot` true to the API server: a list and a watch per kind, their changes gathered into batches,
 * each batch published as one new snapshot. In it only the maps of kinds that changed are new objects, and a row that
 * came again with the same content stays the same object, so `===` tells a reader what it may skip.
 *
 * How soon a change is visible: in the same turn of the event loop in which its bytes arrived, unless a snapshot was
 * published less than 5 ms before; then when those 5 ms are over. So at most 5 ms are added to what the network takes, and
 * a burst of thousands of events costs one copy of the map per 5 ms. After a broken connection the change is seen once
 * a retry succeeds: first after 0.1 to 0.2 s, doubling up to 15 to 30 s while the server stays away. The last known state
 * stays in force meanwhile: a lost API server is not an empty cluster (design invariant 3).
 */

import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName, type KindRows } from '../cluster/snapshot.ts';
import { AppError } from '../fault/app-error.ts';
import { createStore, type Readable } from '../store/store.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { KubeClient } from './client.ts';
import { KIND_SOURCES } from './convert/kind-sources.ts';
import type { KubeErrorCode } from './errors.ts';
import { createSnapshotBatch } from './snapshot-batch.ts';
import { type ListWatch, type ListWatchStats, startListWatch } from './watch/list-watch.ts';
import { createOutageLog } from './watch/outage-log.ts';

/** The least time between two snapshots. */
const BATCH_MS = 5;
/** The longest interval there is; see where it is used. */
const HOLD_MS = 2 ** 31 - 1;

export interface ClusterWatchSpec {
  readonly client: KubeClient;
  readonly kinds: readonly KindName[];
  /** For services, endpoint slices and pods. */
  readonly labelSelector?: string;
  readonly namespaceLabelSelector?: string;
  /** For example `spec.nodeName=k8s-w1`. */
  readonly podFieldSelector?: string;
  /**
   * Nodes are looked at now and then instead of watched: each of them changes every few minutes, which nobody reads, and
   * a thousand agents that watch a thousand nodes are a load of its own. A new node may be unknown for a while: from a
   * minute in a small cluster to an hour in the largest.
   */
  readonly pollNodes?: boolean;
  readonly log: Log;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface ClusterWatch {
  readonly snapshot: Readable<ClusterSnapshot>;
  /**
   * Kinds whose collection the server does not know (404): a custom resource definition that is not installed. They are
   * asked for again every few seconds, and are not `synced` before they were listed.
   */
  readonly missing: Readable<ReadonlySet<KindName>>;
  /** Resolves when all of `kinds` (default: all that are watched) have been listed once; rejects when closed before. */
  synced(kinds?: readonly KindName[]): Promise<void>;
  stats(): ReadonlyMap<KindName, ListWatchStats>;
  /** Ends all requests and timers; the last snapshot stays readable. The client is the caller's and stays open. */
  close(): void;
}

/** Returns at once; failures are logged and retried for as long as the watch is open, which keeps the process alive. */
export function startClusterWatch(spec: ClusterWatchSpec): ClusterWatch {
  const snapshot = createStore<ClusterSnapshot>(EMPTY_SNAPSHOT);
  const missing = createStore<ReadonlySet<KindName>>(new Set());
  const batch = createSnapshotBatch({ snapshot, clock: spec.clock, intervalMs: BATCH_MS });
  const outages = createOutageLog(spec.log);
  const waiting = new Set<() => void>();
  let closed = false;
  // The clock's timers let a process end. Between two attempts at a server that is away there is no socket either, and
  // a program that waits for its first list would leave in silence: an open watch keeps the process, as its socket does.
  const hold = setInterval(() => undefined, HOLD_MS);

  const setMissing = (kind: KindName, isMissing: boolean): void => {
    if (missing.get().has(kind) === isMissing) return;
    const kinds = new Set(missing.get());
    if (isMissing) kinds.add(kind);
    else kinds.delete(kind);
    missing.set(kinds);
  };

  const start = <K extends KindName>(kind: K): [KindName, ListWatch] => [
    kind,
    startListWatch({
      ...KIND_SOURCES[kind],
      ...selectorsOf(kind, spec),
      ...(kind === 'nodes' && spec.pollNodes === true ? { pollMs: nodePollMs } : {}),
      client: spec.client,
      log: spec.log,
      outages,
      clock: spec.clock,
      random: spec.random,
      known: (key): KindRows[K] | undefined => snapshot.get()[kind].get(key) as KindRows[K] | undefined,
      onList: (rows) => batch.replace(kind, rows),
      onRow: (key, row) => batch.change(kind, key, row),
      onMissing: (isMissing) => setMissing(kind, isMissing),
      ...(KIND_SOURCES[kind].doubtful === true && {
        onRefused: (isRefused) => batch.doubt(kind, isRefused),
      }),
    }),
  ];
  const watches = new Map(spec.kinds.map((kind) => start(kind)));

  return {
    snapshot,
    missing,
    async synced(kinds = spec.kinds) {
      await waitFor({ snapshot, waiting, isClosed: () => closed }, kinds);
    },
    stats: () => new Map([...watches].map(([kind, watch]) => [kind, watch.stats()])),
    close() {
      closed = true;
      clearInterval(hold);
      for (const watch of watches.values()) watch.close();
      batch.close();
      for (const wake of [...waiting]) wake();
    },
  };
}

interface Waiters {
  readonly snapshot: Readable<ClusterSnapshot>;
  readonly waiting: Set<() => void>;
  readonly isClosed: () => boolean;
}

function waitFor(waiters: Waiters, kinds: readonly KindName[]): Promise<void> {
  const lacking = () => kinds.filter((kind) => !waiters.snapshot.get().synced.has(kind));
  return new Promise((resolve, reject) => {
    const look = (): boolean => {
      const left = lacking();
      if (left.length > 0 && !waiters.isClosed()) return false;
      if (left.length === 0) resolve();
      else reject(watchClosed(left));
      return true;
    };
    if (look()) return;
    const wake = (): void => {
      if (!look()) return;
      stop();
      waiters.waiting.delete(wake);
    };
    const stop = waiters.snapshot.watch(wake);
    waiters.waiting.add(wake);
  });
}

function watchClosed(kinds: readonly KindName[]): AppError {
  const code: KubeErrorCode = 'KUBE_WATCH_CLOSED';
  return new AppError(
    code,
    `Cannot wait for the first list: the watch was closed: received ${kinds.join(', ')}`,
  );
}

/** Nobody's selector of objects is meant for these. */
const UNLABELLED: readonly KindName[] = ['nodes', 'localRedirectPolicies', 'networkPolicies'];

function selectorsOf(
  kind: KindName,
  spec: ClusterWatchSpec,
): { labelSelector?: string; fieldSelector?: string; fromCache?: boolean } {
  const labelled = !UNLABELLED.includes(kind);
  const asked = kind === 'namespaces' ? spec.namespaceLabelSelector : spec.labelSelector;
  const labels = [KIND_SOURCES[kind].labelSelector, labelled ? asked : undefined].filter(
    (selector) => selector !== undefined,
  );
  return {
    ...(labels.length === 0 ? {} : { labelSelector: labels.join(',') }),
    ...(kind === 'pods' && spec.podFieldSelector !== undefined
      ? { fieldSelector: spec.podFieldSelector, fromCache: true }
      : {}),
  };
}

const NODE_POLL_MS = { perNode: 2_000, least: 60_000, most: 3_600_000 };

/** However many nodes there are, each agent then reads one in two seconds on average. */
function nodePollMs(nodes: number): number {
  return Math.min(NODE_POLL_MS.most, Math.max(NODE_POLL_MS.least, nodes * NODE_POLL_MS.perNode));
}
