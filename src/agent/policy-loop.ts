/**
 * Snapshot to kernel: derives the service table when a map it reads has been replaced and hands the wanted state to the
 * datapath if it differs, the newest last. What went wrong stays on the datapath's rows, which retries by itself. No write is
 * waited for: the kernel may be attaching to interfaces for seconds while a network policy closes a pod.
 * The first change acts at once, a burst is gathered: that keeps the way from `kubectl apply` to the kernel short without
 * deriving once per pod of a rollout.
 */
import type { ObjectKey } from '../cluster/rows.ts';
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import type { Datapath, DatapathSpec } from '../datapath/datapath.ts';
import { errorText } from '../fault/app-error.ts';
import type { Deriver } from '../policy/deriver.ts';
import type { ServiceTable } from '../policy/table.ts';
import type { Readable } from '../store/store.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { AnsweringFrontend } from './answers/answering-frontends.ts';
import { mayEndAnswers } from './redirect/ends-answers.ts';
import type { RedirectPermission } from './redirect/permission.ts';
import type { AnswerRule } from './redirect/pod-answers.ts';
import { WantedState } from './wanted-state.ts';

export interface PolicyLoopOptions {
  readonly nodeName: string;
  readonly redirectPermission?: RedirectPermission;
  /** Absent: no pod gets answers from the kernel. */
  readonly answers?: AnswerRule;
  readonly snapshot: Readable<ClusterSnapshot>;
  /** Called once, and again after a derivation that threw: what it left half done is thrown away. */
  readonly createDeriver: () => Deriver;
  readonly datapath: Pick<Datapath, 'apply'>;
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
/** The longest rest when somebody may lose the kernel's answers: what is forbidden now is not to be answered for long. */
const MOST_REST_MS = 50;
/** After a write that failed as a whole. */
const RETRY_MS = 2_000;

/** What derivation reads; a change of any other kind is not its business. */
const DERIVED_FROM = [
  'services',
  'pods',
  'nodes',
  'namespaces',
  'localRedirectPolicies',
  'networkPolicies',
  'synced',
] as const;

export class PolicyLoop {
  readonly #options: PolicyLoopOptions;
  #stopWatching: () => void = () => undefined;
  readonly #wanted: WantedState;
  #deriver: Deriver;
  #table: ServiceTable = { generation: 0, redirects: [], policies: [] };
  /** What the datapath was asked for last; undefined where that failed. */
  #asked: DatapathSpec | undefined;
  #derivedFrom: ClusterSnapshot | undefined;
  /** Looked at last. */
  #seen: ClusterSnapshot | undefined;
  /** Since the last derivation something came that may end answers. */
  #urgent = false;
  #derivedAtMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  /** All writes that have begun. */
  #writing: Promise<void> = Promise.resolve();
  #error: string | undefined;
  #closed = false;

  constructor(options: PolicyLoopOptions) {
    this.#options = options;
    this.#wanted = new WantedState(options.nodeName, options.redirectPermission, options.answers);
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

  /** The pods of this node that get no answers from the kernel, and why in words; empty where answers are off. */
  get answerRefusals(): ReadonlyMap<ObjectKey, string> {
    return this.#wanted.answerRefusals;
  }

  /** Frontends that the kernel may answer for though they have no backend, as of the newest table. */
  get answering(): readonly AnsweringFrontend[] {
    return this.#wanted.answering;
  }

  /** Text of the last write that failed as a whole, until one succeeds. */
  get lastError(): string | undefined {
    return this.#error;
  }

  /** Resolves when the writes that are going on have ended; at once when there are none. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  close(): void {
    this.#closed = true;
    this.#stopWatching();
    this.#timer?.cancel();
  }

  #wake(): void {
    if (this.#closed) return;
    const { snapshot, clock } = this.#options;
    const current = snapshot.get();
    this.#look(current);
    // What came since it was set may have less to wait.
    this.#timer?.cancel();
    this.#timer = undefined;
    // Time alone changes what is wanted, too. A write that failed leaves nothing derived from: it waits for its retry.
    const stale = isStale(this.#derivedFrom, current);
    const dueMs = stale ? this.#notBefore() : this.#wanted.answering[0]?.untilMs;
    if (dueMs === undefined) return;
    const waitMs = dueMs - clock.monotonicMs();
    if (waitMs <= 0) {
      const write = this.#write().finally(() => this.#wake());
      this.#writing = this.#writing.then(() => write);
      return;
    }
    this.#timer = clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#wake();
    });
  }

  #look(current: ClusterSnapshot): void {
    const before = this.#seen;
    this.#seen = current;
    if (before === undefined || before === current || this.#options.answers === undefined) return;
    this.#urgent ||= mayEndAnswers(before, current);
  }

  #notBefore(): number {
    return this.#urgent ? Math.min(this.#notBeforeMs, this.#derivedAtMs + MOST_REST_MS) : this.#notBeforeMs;
  }

  async #write(): Promise<void> {
    const { snapshot, clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const current = snapshot.get();
    this.#derivedFrom = current;
    this.#derivedAtMs = startedMs;
    this.#urgent = false;
    let spec: DatapathSpec | undefined;
    try {
      const before = this.#table;
      spec = this.#derive(current, startedMs);
      if (this.#table !== before) this.#options.onTable?.(this.#table);
      const tookMs = clock.monotonicMs() - startedMs;
      this.#notBeforeMs = startedMs + Math.max(MIN_INTERVAL_MS, tookMs * REST_FACTOR);
      if (spec !== this.#asked) await this.#apply(spec, tookMs);
      if (spec === this.#asked) this.#error = undefined;
    } catch (thrown) {
      // Something newer is on its way, and says how it went.
      if (spec !== undefined && spec !== this.#asked) return;
      this.#asked = undefined;
      this.#error = errorText(thrown);
      this.#options.log.error(`Cannot bring the kernel to the wanted state: ${this.#error}`);
      // Forgotten, so that the same snapshot is tried again after the rest.
      this.#derivedFrom = undefined;
      this.#notBeforeMs = clock.monotonicMs() + RETRY_MS;
    }
  }

  #derive(current: ClusterSnapshot, nowMs: number): DatapathSpec {
    try {
      this.#table = this.#deriver.update(current);
    } catch (thrown) {
      this.#deriver = this.#options.createDeriver();
      throw thrown;
    }
    return this.#wanted.update(current, this.#table, nowMs);
  }

  async #apply(spec: DatapathSpec, derivedMs: number): Promise<void> {
    const { clock, datapath, log } = this.#options;
    const { generation } = this.#table;
    const startedMs = clock.monotonicMs();
    this.#asked = spec;
    await datapath.apply(spec);
    this.#options.onApplied?.();
    const writtenMs = clock.monotonicMs() - startedMs;
    log.debug(
      `snapshot ${generation}: ${spec.frontends.length} frontends redirected, ${spec.pods.length} pods; ` +
        `derived in ${derivedMs.toFixed(2)} ms, written in ${writtenMs.toFixed(2)} ms`,
    );
  }
}

function isStale(derivedFrom: ClusterSnapshot | undefined, current: ClusterSnapshot): boolean {
  return derivedFrom === undefined || DERIVED_FROM.some((part) => derivedFrom[part] !== current[part]);
}
