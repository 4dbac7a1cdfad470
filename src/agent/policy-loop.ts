/**
 * Snapshot to kernel: derives the service table when a map it reads has been replaced and hands the wanted state to the
 * datapath if it differs, one write at a time, the newest last. What went wrong stays on the datapath's rows, which retries by itself.
 * The first change acts at once, a burst is gathered: that keeps the way from `kubectl apply` to the kernel short without
 * deriving once per pod of a rollout.
 */
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import type { Datapath, DatapathSpec } from '../datapath/datapath.ts';
import { errorText } from '../fault/app-error.ts';
import type { Deriver } from '../policy/deriver.ts';
import type { ServiceTable } from '../policy/table.ts';
import type { Readable } from '../store/store.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { RedirectPermission } from './redirect/permission.ts';
import { WantedState } from './wanted-state.ts';

export interface PolicyLoopOptions {
  readonly nodeName: string;
  readonly redirectPermission?: RedirectPermission;
  readonly snapshot: Readable<ClusterSnapshot>;
  /** Called once, and again after a derivation that threw: what it left half done is thrown away. */
  readonly createDeriver: () => Deriver;
  readonly datapath: Datapath;
  readonly clock: Clock;
  readonly log: Pick<Log, 'debug' | 'error'>;
  /** Called with every table that differs from the one before, before the kernel has it. */
  readonly onTable?: (table: ServiceTable) => void;
  /** Called when the kernel was brought to something new, as far as it took it. */
  readonly onApplied?: () => void;
}

/** The least time between two derivations; a slow one (big cluster) earns a rest four times as long as itself. */
const MIN_INTERVAL_MS = 10;
const REST_FACTOR = 4;
/** After a write that failed as a whole. */
const RETRY_MS = 2_000;

/** What derivation reads; a change of any other kind is not its business. */
const DERIVED_FROM = ['services', 'pods', 'nodes', 'namespaces', 'localRedirectPolicies', 'synced'] as const;

export class PolicyLoop {
  readonly #options: PolicyLoopOptions;
  #stopWatching: () => void = () => undefined;
  readonly #wanted: WantedState;
  #deriver: Deriver;
  #table: ServiceTable = { generation: 0, redirects: [], policies: [] };
  /** What the datapath was last brought to. */
  #applied: DatapathSpec | undefined;
  #derivedFrom: ClusterSnapshot | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #error: string | undefined;
  #closed = false;

  constructor(options: PolicyLoopOptions) {
    this.#options = options;
    this.#wanted = new WantedState(options.nodeName, options.redirectPermission);
    this.#deriver = options.createDeriver();
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
    const { snapshot, clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const current = snapshot.get();
    this.#derivedFrom = current;
    try {
      const before = this.#table;
      const spec = this.#derive(current);
      if (this.#table !== before) this.#options.onTable?.(this.#table);
      const tookMs = clock.monotonicMs() - startedMs;
      this.#notBeforeMs = startedMs + Math.max(MIN_INTERVAL_MS, tookMs * REST_FACTOR);
      if (spec !== this.#applied) await this.#apply(spec, tookMs);
      this.#error = undefined;
    } catch (thrown) {
      this.#error = errorText(thrown);
      this.#options.log.error(`Cannot bring the kernel to the wanted state: ${this.#error}`);
      // Forgotten, so that the same snapshot is tried again after the rest.
      this.#derivedFrom = undefined;
      this.#notBeforeMs = clock.monotonicMs() + RETRY_MS;
    }
  }

  #derive(current: ClusterSnapshot): DatapathSpec {
    try {
      this.#table = this.#deriver.update(current);
    } catch (thrown) {
      this.#deriver = this.#options.createDeriver();
      throw thrown;
    }
    return this.#wanted.update(current, this.#table);
  }

  async #apply(spec: DatapathSpec, derivedMs: number): Promise<void> {
    const { clock, datapath, log } = this.#options;
    const startedMs = clock.monotonicMs();
    this.#applied = undefined;
    await datapath.apply(spec);
    this.#applied = spec;
    this.#options.onApplied?.();
    const writtenMs = clock.monotonicMs() - startedMs;
    log.debug(
      `snapshot ${this.#table.generation}: ${spec.frontends.length} frontends redirected, ${spec.pods.length} pods; ` +
        `derived in ${derivedMs.toFixed(2)} ms, written in ${writtenMs.toFixed(2)} ms`,
    );
  }
}

function isStale(derivedFrom: ClusterSnapshot | undefined, current: ClusterSnapshot): boolean {
  return derivedFrom === undefined || DERIVED_FROM.some((part) => derivedFrom[part] !== current[part]);
}
