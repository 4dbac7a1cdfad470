/**
 * Snapshot to kernel: derives the service table when a map it reads has been replaced and hands the wanted state to the
 * datapath, one write at a time, the newest last. What went wrong stays on the datapath's rows, which retries by itself.
 * The first change acts at once, a burst is gathered: that keeps the way from `kubectl apply` to the kernel short without
 * deriving once per pod of a rollout.
 */
import { objectKey, type PodRow } from '../cluster/rows.ts';
import type { ClusterSnapshot, KindName } from '../cluster/snapshot.ts';
import type { Datapath, DatapathSpec, LocalPod } from '../datapath/datapath.ts';
import { errorText } from '../fault/app-error.ts';
import type { ServiceTable } from '../policy/table.ts';
import type { Readable } from '../store/store.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';

export interface PolicyLoopOptions {
  readonly nodeName: string;
  readonly snapshot: Readable<ClusterSnapshot>;
  readonly derive: (snapshot: ClusterSnapshot) => ServiceTable;
  readonly datapath: Datapath;
  readonly clock: Clock;
  readonly log: Pick<Log, 'debug' | 'error'>;
}

/** The least time between two derivations; a slow one (big cluster) earns a rest four times as long as itself. */
const MIN_INTERVAL_MS = 10;
const REST_FACTOR = 4;
/** After a write that failed as a whole. */
const RETRY_MS = 2_000;

/** What `derive` reads; a change of any other kind is not its business. */
const DERIVED_FROM = ['services', 'endpointSlices', 'pods', 'localRedirectPolicies', 'synced'] as const;
/** Design invariant 3: nothing is taken away before each of these has been listed once. */
const PRUNE_NEEDS: readonly KindName[] = ['services', 'endpointSlices', 'pods', 'localRedirectPolicies'];

export class PolicyLoop {
  readonly #options: PolicyLoopOptions;
  #stopWatching: () => void = () => undefined;
  #table: ServiceTable = { generation: 0, frontends: [], policies: [] };
  #derivedFrom: ClusterSnapshot | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #error: string | undefined;
  #closed = false;

  constructor(options: PolicyLoopOptions) {
    this.#options = options;
  }

  /** Nothing is touched before; call it once. */
  start(): void {
    this.#stopWatching = this.#options.snapshot.watch(() => this.#wake());
    this.#wake();
  }

  /** The newest table that was handed to the datapath. */
  get table(): ServiceTable {
    return this.#table;
  }

  /** Text of the last write that failed as a whole, until one succeeds. */
  get lastError(): string | undefined {
    return this.#error;
  }

  /** Resolves when a write that is going on has ended; at once when there is none. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  close(): void {
    this.#closed = true;
    this.#stopWatching();
    this.#timer?.cancel();
  }

  #wake(): void {
    if (this.#closed || this.#writing !== undefined || this.#timer !== undefined) return;
    const { snapshot, clock } = this.#options;
    if (!isStale(this.#derivedFrom, snapshot.get())) return;
    const waitMs = this.#notBeforeMs - clock.monotonicMs();
    if (waitMs <= 0) {
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        this.#wake();
      });
      return;
    }
    this.#timer = clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#wake();
    });
  }

  async #write(): Promise<void> {
    const { snapshot, clock, datapath, nodeName, derive } = this.#options;
    const startedMs = clock.monotonicMs();
    const current = snapshot.get();
    this.#derivedFrom = current;
    try {
      this.#table = derive(current);
      const tookMs = clock.monotonicMs() - startedMs;
      this.#notBeforeMs = startedMs + Math.max(MIN_INTERVAL_MS, tookMs * REST_FACTOR);
      await datapath.apply(wantedState(current, this.#table, nodeName));
      this.#error = undefined;
      this.#tell(tookMs, clock.monotonicMs() - startedMs - tookMs);
    } catch (thrown) {
      this.#error = errorText(thrown);
      this.#options.log.error(`Cannot bring the kernel to the wanted state: ${this.#error}`);
      // Forgotten, so that the same snapshot is tried again after the rest.
      this.#derivedFrom = undefined;
      this.#notBeforeMs = clock.monotonicMs() + RETRY_MS;
    }
  }

  #tell(derivedMs: number, writtenMs: number): void {
    const { generation, frontends } = this.#table;
    const redirected = frontends.filter(({ type }) => type === 'LocalRedirect').length;
    this.#options.log.debug(
      `snapshot ${generation}: ${redirected} of ${frontends.length} frontends redirected; ` +
        `derived in ${derivedMs.toFixed(2)} ms, written in ${writtenMs.toFixed(2)} ms`,
    );
  }
}

function isStale(derivedFrom: ClusterSnapshot | undefined, current: ClusterSnapshot): boolean {
  return derivedFrom === undefined || DERIVED_FROM.some((part) => derivedFrom[part] !== current[part]);
}

/** Exported for tests: the datapath's wanted state, from a snapshot and the table derived from it. */
export function wantedState(snapshot: ClusterSnapshot, table: ServiceTable, nodeName: string): DatapathSpec {
  const skipping = table.policies.filter(({ skipRedirectFromBackend }) => skipRedirectFromBackend);
  return {
    frontends: table.frontends.filter(({ type }) => type === 'LocalRedirect'),
    pods: [...snapshot.pods.values()].filter((pod) => hasInterface(pod, nodeName)).map(localPod),
    skipPolicies: skipping.map(({ policy }) => policy),
    mayPrune: PRUNE_NEEDS.every((kind) => snapshot.synced.has(kind)),
  };
}

/** Pods on the host's network have no interface of their own, finished ones none any more. */
function hasInterface(pod: PodRow, nodeName: string): boolean {
  const ended = pod.phase === 'Succeeded' || pod.phase === 'Failed';
  return pod.nodeName === nodeName && !pod.hostNetwork && !ended && pod.podIPs.length > 0;
}

function localPod(pod: PodRow): LocalPod {
  return { pod: objectKey(pod), addresses: pod.podIPs };
}
