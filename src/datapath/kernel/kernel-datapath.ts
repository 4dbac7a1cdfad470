/**
 * The datapath in the kernel: a reconciler that brings maps and links to the wanted state, row by row, and keeps
 * trying what failed. Rows carry their own errors; nobody upstream could do anything about them.
 * Interfaces of backends come before frontends, so that a redirected query finds its way back already in place.
 * What is asked for again and did not change costs no system call. What changes on the node (interfaces, other programs
 * on them) is told by those who watch it; a look at everything twice a minute is for what nobody told.
 * The thread must stay in the node's network namespace.
 */
import { errorText } from '../../fault/app-error.ts';
import type { Frontend } from '../../policy/table.ts';
import { type BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import { openLibc } from '../../sys/libc.ts';
import { programStats } from '../../sys/program-stats.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { AnswerShelves } from '../answers/answer-shelves.ts';
import { AnswerSources } from '../answers/answer-sources.ts';
import { sourceRows } from '../answers/map-rows.ts';
import type {
  AnswerShelf,
  AnswerSource,
  BackendHealth,
  BeatMap,
  Datapath,
  DatapathCounters,
  DatapathSpec,
  DropStatus,
  FrontendRow,
  GoneBackend,
  InterfaceRow,
  ProgramCost,
} from '../datapath.ts';
import type { DropWatch } from '../drops/drop-watch.ts';
import type { DumpedFrontend } from '../dump.ts';
import type { HookSet } from '../hooks/hook-set.ts';
import { inheritedRows, stillInherited } from '../inherited.ts';
import type { PacketSink } from '../packet-record.ts';
import type { PodPlaces } from '../place/pod-places.ts';
import { preciseNow, retryDelayMs } from '../row-status.ts';
import type { SocketPathHandle } from '../socket/open-socket-path.ts';
import type { SocketPathStatus } from '../socket/socket-status.ts';
import { BEAT_SIZE, MAX_SEATS } from './abi.gen.ts';
import { dumpRedirects } from './dump-redirects.ts';
import { EndpointTable } from './endpoint-table.ts';
import { EventReader } from './event-reader.ts';
import { FrontendRows } from './frontend-rows.ts';
import { HealthTable } from './health-table.ts';
import { InterfaceRows } from './interface-rows.ts';
import { KernelCounters } from './kernel-counters.ts';
import { KernelTable } from './kernel-table.ts';

export interface KernelParts {
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: ReadonlyMap<string, number>;
  readonly places: PodPlaces;
  readonly hooks: HookSet;
  readonly socketPath: SocketPathHandle;
  readonly drops: DropWatch;
  readonly shelves: AnswerShelves;
  readonly ringBytes: number;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
  readonly clock: Clock;
  /** Lets another process have the pins; called once, when nothing is written any more. */
  readonly unlock: () => void;
  /** Unpins everything. */
  readonly unpin: () => void;
}

/**
 * How long after a frontend has gone its TCP connections are still followed. A longer one is of a client that keeps its
 * connection open for good, and has to open it anew.
 */
const LINGER_NS = 3_600_000_000_000n;

function linger(map: BpfMap): void {
  const until = new BigUint64Array([process.hrtime.bigint() + LINGER_NS]);
  map.update(u32Bytes(0), new Uint8Array(until.buffer));
}

/**
 * The kernel takes some 30 ms for each interface, so 250 pods on the first start take seconds. Those that serve come first,
 * then the frontends, then the others for as long as this: whoever wants something else does not wait for all of them.
 */
const ATTACH_MS = 2000;
/** How often everything is looked at without being told to. */
const SWEEP_MS = 30_000;
/** When it is all tried again after something failed that belongs to no row. */
const FAILED_MS = 1000;

export class KernelDatapath implements Datapath {
  readonly #parts: KernelParts;
  readonly #health: HealthTable;
  readonly #sources: AnswerSources;
  readonly beats: BeatMap;
  readonly #interfaceRows: InterfaceRows;
  readonly #frontendRows: FrontendRows;
  readonly #counters: KernelCounters;
  readonly #events: EventReader;
  #spec: DatapathSpec | undefined;
  /** The one that was reconciled last, whole. */
  #applied: DatapathSpec | undefined;
  /** Stands in the queue: it takes the newest spec when its turn comes. */
  #waiting: Promise<void> | undefined;
  /** Something on the node may have changed since. */
  #unchecked = true;
  #checkedMs = 0;
  #refreshing = false;
  #inherited: readonly FrontendRow[];
  #timer: Timer | undefined;
  #tellGone: (gone: readonly GoneBackend[]) => void = () => undefined;
  #closed = false;
  /** What they were at the end: a closed descriptor may be somebody else's already. */
  #lastCounters: DatapathCounters | undefined;
  /** The last thing to be done: one reconciliation after the other. */
  #queue: Promise<void> = Promise.resolve();

  /** Takes ownership of maps and programs. */
  constructor(parts: KernelParts) {
    this.#parts = parts;
    const [frontends, slots, backends] = [this.#map('frontends'), this.#map('slots'), this.#map('backends')];
    this.#health = new HealthTable(this.#map('health'));
    const lingering = this.#map('lingering');
    const { shelves } = parts;
    const sources = new AnswerSources(sourceRows(this.#map('answer_sources')), (n) => shelves.has(n));
    this.#sources = sources;
    const onTcpGone = () => linger(lingering);
    const table = new KernelTable({ frontends, slots, backends }, this.#health, { onTcpGone, sources });
    this.beats = { fd: this.#map('beats').fd, seats: MAX_SEATS, beatBytes: BEAT_SIZE };
    this.#counters = new KernelCounters(this.#map('counters'));
    this.#events = new EventReader({
      ring: { fd: this.#map('events').fd, size: parts.ringBytes },
      config: this.#map('config'),
      clock: parts.clock,
      log: parts.log,
      countLost: () => this.#counters.eventsLost(),
    });
    const now = preciseNow(parts.clock);
    const { places, hooks, log } = parts;
    const endpoints = new EndpointTable(this.#map('endpoints'));
    const serving = () => table.backendAddresses();
    this.#interfaceRows = new InterfaceRows({ places, hooks, endpoints, log, now, serving });
    this.#frontendRows = new FrontendRows({ places, table, log, now });
    this.#inherited = inheritedRows(table.rows(), now());
    places.onChange(() => this.#refresh());
    hooks.onChange(() => this.#refresh());
  }

  apply(spec: DatapathSpec): Promise<void> {
    this.#spec = spec;
    this.#restrictAnswers(spec);
    this.#waiting ??= this.#enqueue(() => {
      this.#waiting = undefined;
      return this.#reconcile(this.#spec ?? spec);
    });
    return this.#waiting;
  }

  /** Not in the queue: what a network policy has closed is not answered while interfaces are attached to. */
  #restrictAnswers({ pods, mayPrune }: DatapathSpec): void {
    if (this.#closed) return;
    try {
      this.#interfaceRows.restrictAnswers(pods, mayPrune);
    } catch (error) {
      // Whom it left out is found to differ, and tried again, by those in the queue.
      this.#parts.log.error(`datapath: ${errorText(error)}`);
    }
  }

  frontends(): readonly FrontendRow[] {
    return this.#frontendRows.rows();
  }

  inherited(): readonly FrontendRow[] {
    return this.#inherited;
  }

  dump(): readonly DumpedFrontend[] {
    if (this.#closed) return [];
    const [frontends, slots, backends] = [this.#map('frontends'), this.#map('slots'), this.#map('backends')];
    return dumpRedirects({ frontends, slots, backends, sources: this.#map('answer_sources') });
  }

  interfaces(): readonly InterfaceRow[] {
    return this.#interfaceRows.rows();
  }

  counters(): DatapathCounters {
    return this.#lastCounters ?? this.#counters.read();
  }

  programCosts(): readonly ProgramCost[] {
    if (this.#closed) return [];
    return [...this.#parts.programs].map(([program, fd]) => {
      const { runs, runNs } = programStats(fd);
      return { program, runs, runNs };
    });
  }

  setHealth(row: BackendHealth): void {
    if (!this.#closed) this.#health.set(row);
  }

  health(): readonly BackendHealth[] {
    return this.#health.rows();
  }

  openShelf(): AnswerShelf | undefined {
    return this.#parts.shelves.open();
  }

  shelf(number: number): AnswerShelf | undefined {
    return this.#parts.shelves.get(number);
  }

  closeShelf(number: number): void {
    if (this.#closed) return;
    this.#sources.forgetShelf(number);
    this.#parts.shelves.remove(number);
  }

  shelves(): readonly AnswerShelf[] {
    return this.#parts.shelves.list();
  }

  setAnswerSource(row: AnswerSource): void {
    if (!this.#closed) this.#sources.set(row);
  }

  answerSources(): readonly AnswerSource[] {
    return this.#sources.list();
  }

  onBackendsGone(listener: (gone: readonly GoneBackend[]) => void): void {
    this.#tellGone = listener;
  }

  onPackets(sink: PacketSink): void {
    if (this.#closed) return;
    this.#events.listen(sink);
    this.#parts.drops.start();
  }

  socketPath(): SocketPathStatus {
    return this.#parts.socketPath.status();
  }

  drops(): DropStatus {
    return this.#parts.drops.status();
  }

  dropReason(reason: number): string {
    return this.#parts.drops.word(reason);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.drops.close();
    this.#parts.socketPath.close();
    this.#lastCounters = this.#counters.read();
    this.#timer?.cancel();
    this.#events.close();
    this.#parts.places.close();
    this.#parts.hooks.close();
    this.#parts.shelves.close();
    for (const map of this.#parts.maps.values()) map.close();
    for (const fd of this.#parts.programs.values()) openLibc().close(fd);
    this.#parts.unlock();
  }

  remove(): void {
    this.close();
    this.#parts.socketPath.remove();
    this.#parts.unpin();
  }

  /** What fails here fails the caller, but not those behind it in the queue. */
  #enqueue(run: () => Promise<void>): Promise<void> {
    const result = this.#queue.then(run).catch((error: unknown) => {
      // Half of it may not have been looked at.
      this.#unchecked = true;
      this.#wakeIn(FAILED_MS);
      throw error;
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** A burst of changes is one look. */
  #refresh(): void {
    this.#unchecked = true;
    if (this.#refreshing || this.#closed || this.#spec === undefined) return;
    this.#refreshing = true;
    this.#enqueue(async () => {
      this.#refreshing = false;
      if (this.#spec !== undefined) await this.#reconcile(this.#spec);
    }).catch((error: unknown) => {
      this.#parts.log.error(`datapath: ${errorText(error)}`);
    });
  }

  async #reconcile(spec: DatapathSpec): Promise<void> {
    if (this.#closed) return;
    const recheck = this.#unchecked;
    if (!recheck && spec === this.#applied && this.#failedRows().length === 0) return;
    this.#unchecked = false;
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    if (recheck) this.#checkedMs = startedMs;
    const wanted = spec.frontends.filter((row) => row.type === 'LocalRedirect' && row.backends.length > 0);
    const isOutdated = () => this.#waiting !== undefined;
    const whole = await this.#interfaceRows.apply(spec.pods, {
      recheck,
      isClosed: () => this.#closed,
      isEnough: () => isOutdated() || clock.monotonicMs() - startedMs > ATTACH_MS,
      urgent: new Set(wanted.flatMap(({ backends }) => backends.map(({ address }) => address))),
      afterUrgent: () => this.#applyFrontends(spec, wanted, recheck),
    });
    if (this.#closed) return;
    this.#applied = whole ? spec : undefined;
    // Not before all pods have been looked at: an interface may be that of one that has not.
    if (spec.mayPrune && whole) this.#interfaceRows.prune();
    this.#inherited = stillInherited(this.#inherited, wanted, spec.mayPrune);
    this.#scheduleNext();
    // Whoever waits goes on with it, and looks at all if this one was to.
    if (!whole && isOutdated()) this.#unchecked ||= recheck;
    else if (!whole) this.#refresh();
  }

  /** Before any interface goes: packets must not lose their way back while they are still redirected. */
  #applyFrontends(spec: DatapathSpec, wanted: readonly Frontend[], recheck: boolean): void {
    this.#frontendRows.apply(wanted, new Set(spec.skipPolicies ?? []), recheck);
    this.#frontendRows.hold(spec.answering ?? []);
    const gone = spec.mayPrune ? this.#frontendRows.prune() : [];
    if (gone.length === 0) return;
    this.#tellGone(gone);
    void this.#parts.socketPath.sweep();
  }

  #failedRows(): readonly (FrontendRow | InterfaceRow)[] {
    return [...this.frontends(), ...this.interfaces()].filter((row) => row.status.state === 'error');
  }

  #scheduleNext(): void {
    const delays = this.#failedRows().map((row) => retryDelayMs(row.status.attempts));
    const sweepMs = Math.max(0, this.#checkedMs + SWEEP_MS - this.#parts.clock.monotonicMs());
    this.#wakeIn(Math.min(sweepMs, ...delays));
  }

  #wakeIn(delayMs: number): void {
    this.#timer?.cancel();
    if (!this.#closed) this.#timer = this.#parts.clock.after(delayMs, () => this.#refresh());
  }

  #map(name: string): BpfMap {
    const map = this.#parts.maps.get(name);
    if (map === undefined) throw new Error(`No map ${name}`);
    return map;
  }
}
