/**
 * The datapath without a kernel: a second implementation with state, for everything above it. What the kernel would
 * keep over a restart stands in a `FakeKernel`, so that closing and opening again can be played.
 */
import { errorText } from '../fault/app-error.ts';
import type { Ip } from '../net/ip.ts';
import type { Frontend } from '../policy/table.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import { AnswerShelves } from './answers/answer-shelves.ts';
import { AnswerSources, type ShelfView, type SourceRows } from './answers/answer-sources.ts';
import { memoryShelfStore } from './answers/memory-shelf-store.ts';
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
  LocalPod,
  PacketEvent,
  ProgramCost,
} from './datapath.ts';
import { type DumpedFrontend, dumpedSource } from './dump.ts';
import { type FoundFrontend, inheritedRows, stillInherited } from './inherited.ts';
import { type PacketSink, toRecord } from './packet-record.ts';
import { nextStatus, type Outcome, retryDelayMs } from './row-status.ts';
import { SOCKET_PATH_OFF, type SocketPathStatus } from './socket/socket-status.ts';

/** What survives a process. The owner writes `interfaces` and `counters` as the world would. */
export interface FakeKernel {
  /** Address to host-side interface; an address that is not here cannot be redirected to. */
  readonly interfaces: Map<Ip, { readonly ifindex: number; readonly ifname: string }>;
  /** `address port protocol` to what is realised. */
  readonly frontends: Map<string, FoundFrontend>;
  readonly attached: Set<number>;
  /** `address port` to what was said of it. */
  readonly health: Map<string, BackendHealth>;
  /** By number. */
  readonly shelves: Map<number, AnswerShelf>;
  /** By a frontend's id. */
  readonly sources: Map<number, ShelfView>;
  counters: DatapathCounters;
  lastId: number;
}

export function createFakeKernel(): FakeKernel {
  return {
    interfaces: new Map(),
    frontends: new Map(),
    attached: new Set(),
    health: new Map(),
    shelves: new Map(),
    sources: new Map(),
    counters: NO_PACKETS,
    lastId: 0,
  };
}

export interface FakeDatapath extends Datapath {
  /** A packet event as if it came out of the ring; nobody hears it while nobody listens. */
  emit(event: PacketEvent, lost?: number): void;
}

const NO_PACKETS: DatapathCounters = {
  redirected: 0n,
  restored: 0n,
  eventsLost: 0n,
  fellBack: {
    'no-backend': 0n,
    'no-socket': 0n,
    fragment: 0n,
    skip: 0n,
    established: 0n,
    'no-heartbeat': 0n,
    'probe-failed': 0n,
    'not-permitted': 0n,
    'flow-share': 0n,
  },
  answered: 0n,
  answersMissed: 0n,
  answersTorn: 0n,
};

export function openFakeDatapath(options: {
  readonly kernel: FakeKernel;
  readonly clock: Clock;
  /** As of `DatapathOptions`. */
  readonly answerEntries?: number;
}): FakeDatapath {
  return new FakeImplementation(options.kernel, options.clock, options.answerEntries);
}

class FakeImplementation implements FakeDatapath {
  readonly beats: BeatMap = { fd: -1, seats: 256, beatBytes: 64 };
  readonly #kernel: FakeKernel;
  readonly #clock: Clock;
  readonly #shelves: AnswerShelves;
  readonly #sources: AnswerSources;
  #spec: DatapathSpec | undefined;
  #frontends: readonly FrontendRow[] = [];
  /** Backends at the end of the last reconciliation that pruned. */
  #last: readonly GoneBackend[] = [];
  #inherited: readonly FrontendRow[];
  #interfaces: readonly InterfaceRow[] = [];
  #sink: PacketSink | undefined;
  #tellGone: (gone: readonly GoneBackend[]) => void = () => undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(kernel: FakeKernel, clock: Clock, entries: number | undefined) {
    this.#kernel = kernel;
    this.#clock = clock;
    const log = { warning: () => undefined };
    const randomBytes = (count: number) => new Uint8Array(count);
    const store = memoryShelfStore(kernel.shelves);
    this.#shelves = new AnswerShelves({ store, entries, log, randomBytes });
    this.#sources = new AnswerSources(sourceRowsIn(kernel.sources), (number) => this.#shelves.has(number));
    for (const { id, tuple, backends } of kernel.frontends.values())
      if (tuple.protocol === 'UDP') this.#sources.inherit(id, backends);
    this.#inherited = inheritedRows(kernel.frontends.values(), clock.nowMs());
  }

  async apply(spec: DatapathSpec): Promise<void> {
    if (this.#closed) return;
    this.#spec = spec;
    this.#reconcile(spec);
  }

  frontends(): readonly FrontendRow[] {
    return this.#frontends;
  }

  inherited(): readonly FrontendRow[] {
    return this.#inherited;
  }

  dump(): readonly DumpedFrontend[] {
    return [...this.#kernel.frontends.values()].map(({ id, tuple, backends }) => ({
      ...{ ...tuple, id, skipFromBackend: false },
      ...dumpedSource(this.#kernel.sources.get(id)),
      slots: backends.map((backend, index) => ({ backendId: index + 1, backend })),
    }));
  }

  interfaces(): readonly InterfaceRow[] {
    return this.#interfaces;
  }

  counters(): DatapathCounters {
    return this.#kernel.counters;
  }

  programCosts(): readonly ProgramCost[] {
    return [];
  }

  setHealth(row: BackendHealth): void {
    if (!this.#closed) this.#kernel.health.set(placeKey(row), row);
  }

  health(): readonly BackendHealth[] {
    return [...this.#kernel.health.values()];
  }

  openShelf(): AnswerShelf | undefined {
    return this.#shelves.open();
  }

  shelf(number: number): AnswerShelf | undefined {
    return this.#shelves.get(number);
  }

  closeShelf(number: number): void {
    if (this.#closed) return;
    this.#sources.forgetShelf(number);
    this.#shelves.remove(number);
  }

  shelves(): readonly AnswerShelf[] {
    return this.#shelves.list();
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

  /** There are no sockets here. */
  socketPath(): SocketPathStatus {
    return SOCKET_PATH_OFF;
  }

  drops(): DropStatus {
    return { watched: this.#sink !== undefined };
  }

  dropReason(reason: number): string {
    return `REASON_${reason}`;
  }

  onPackets(sink: PacketSink): void {
    if (!this.#closed) this.#sink = sink;
  }

  emit(event: PacketEvent, lost = 0): void {
    const record = toRecord(event);
    if (lost > 0) this.#sink?.lost(lost);
    this.#sink?.packet(record, 0, record.bytes.length);
  }

  close(): void {
    this.#closed = true;
    this.#shelves.close();
    this.#sink = undefined;
    this.#timer?.cancel();
  }

  remove(): void {
    this.close();
    this.#kernel.frontends.clear();
    this.#kernel.attached.clear();
    this.#kernel.health.clear();
    this.#kernel.shelves.clear();
    this.#kernel.sources.clear();
    this.#kernel.counters = NO_PACKETS;
    this.#kernel.lastId = 0;
  }

  #reconcile(spec: DatapathSpec): void {
    const wanted = spec.frontends.filter((row) => row.type === 'LocalRedirect' && row.backends.length > 0);
    const frontends = new Map(this.#frontends.map((row) => [tupleKey(row.frontend), row]));
    this.#frontends = wanted.map((frontend) => this.#write(frontend, frontends));
    if (spec.mayPrune) this.#prune(wanted, spec.answering ?? []);
    this.#attachAll(spec.pods);
    const kept = new Set(this.#interfaces.map((row) => row.ifindex));
    if (spec.mayPrune)
      for (const ifindex of this.#kernel.attached)
        if (!kept.has(ifindex)) this.#kernel.attached.delete(ifindex);
    this.#inherited = stillInherited(this.#inherited, wanted, spec.mayPrune);
    this.#scheduleRetry();
  }

  #attachAll(pods: readonly LocalPod[]): void {
    const before = new Map(this.#interfaces.map((row) => [`${row.pod} ${row.address}`, row]));
    const backends = [...this.#kernel.frontends.values()].flatMap((row) => row.backends);
    const serving = new Set(backends.map(({ address }) => address));
    const sorted = [...pods].sort((a, b) => (a.pod < b.pod ? -1 : 1));
    this.#interfaces = sorted.flatMap((pod) => this.#attach(pod, before, serving));
  }

  #attach(
    { pod, addresses, permitted = false, observeOnly = false, answers = false }: LocalPod,
    before: ReadonlyMap<string, InterfaceRow>,
    serving: ReadonlySet<Ip>,
  ): readonly InterfaceRow[] {
    const address = addresses[0];
    if (address === undefined) return [];
    const previous = before.get(`${pod} ${address}`);
    const found = this.#kernel.interfaces.get(address);
    const changed = found !== undefined && !this.#kernel.attached.has(found.ifindex);
    if (found !== undefined) this.#kernel.attached.add(found.ifindex);
    const outcome: Outcome = found === undefined ? { error: noInterface(address) } : { changed };
    const status = nextStatus(previous?.status, outcome, this.#clock.nowMs());
    const { ifindex, ifname } = found ?? { ifindex: 0, ifname: '' };
    const hook = found && { hook: { kind: 'tcx', order: 'alone', others: [] } as const };
    const row = { pod, address, ifindex, ifname, status, ...hook, permitted, redirects: !observeOnly };
    const isServer = addresses.some((one) => serving.has(one));
    return [{ ...row, answers: answers && found !== undefined && !observeOnly && !isServer }];
  }

  #write(frontend: Frontend, before: ReadonlyMap<string, FrontendRow>): FrontendRow {
    const key = tupleKey(frontend);
    const previous = before.get(key);
    const known = this.#kernel.frontends.get(key);
    for (const backend of frontend.backends) this.#expectHealth(backend);
    const reachable = frontend.backends.filter((backend) => this.#kernel.interfaces.has(backend.address));
    const missing = frontend.backends.find((backend) => !reachable.includes(backend));
    const backends = reachable.map(({ address, port, protocol }) => ({ address, port, protocol }));
    const id = known?.id ?? previous?.id ?? (reachable.length > 0 ? ++this.#kernel.lastId : 0);
    if (reachable.length > 0) this.#put({ id, tuple: tupleOf(frontend), backends });
    else if (known !== undefined && !this.#strand(known, frontend)) this.#take(known);
    const outcome: Outcome =
      missing === undefined
        ? { changed: JSON.stringify(known?.backends) !== JSON.stringify(backends) }
        : { error: noInterface(missing.address) };
    return { id, frontend, status: nextStatus(previous?.status, outcome, this.#clock.nowMs()) };
  }

  #put(found: FoundFrontend): void {
    const write = () => void this.#kernel.frontends.set(tupleKey(found.tuple), found);
    if (found.tuple.protocol === 'UDP') this.#sources.follow(found.id, found.backends, write);
    else write();
  }

  #strand(found: FoundFrontend, { backends, protocol }: Frontend): boolean {
    const leave = () => void this.#kernel.frontends.set(tupleKey(found.tuple), { ...found, backends: [] });
    return protocol === 'UDP' && this.#sources.strand(found.id, backends, leave);
  }

  #take({ id, tuple }: FoundFrontend): void {
    const remove = () => void this.#kernel.frontends.delete(tupleKey(tuple));
    if (tuple.protocol === 'UDP') this.#sources.drop(id, remove);
    else remove();
  }

  #prune(wanted: readonly Frontend[], answering: readonly Frontend[]): void {
    const mayHold = new Set(answering.map(tupleKey));
    const keep = new Set(wanted.map(tupleKey));
    const before = [...this.#kernel.frontends.values()].flatMap((row) => row.backends);
    for (const [key, found] of this.#kernel.frontends) {
      if (keep.has(key)) continue;
      const leave = () => void this.#kernel.frontends.set(key, { ...found, backends: [] });
      const isHeld = mayHold.has(key) && this.#sources.hold(found.id, leave);
      if (!isHeld) this.#take(found);
    }
    this.#forget([...this.#last, ...before]);
  }

  /** A row for every backend, as soon as there is one. */
  #expectHealth({ address, port }: GoneBackend): void {
    const key = placeKey({ address, port });
    if (!this.#kernel.health.has(key)) this.#kernel.health.set(key, { address, port });
  }

  #forget(before: readonly GoneBackend[]): void {
    const left = [...this.#kernel.frontends.values()].flatMap((row) => row.backends);
    this.#last = left;
    const kept = new Set(left.map(tupleKey));
    const gone = new Map(before.map((backend) => [tupleKey(backend), backend]));
    for (const key of kept) gone.delete(key);
    const used = new Set(left.map(placeKey));
    for (const { address, port } of gone.values()) {
      const key = placeKey({ address, port });
      if (!used.has(key) && this.#kernel.health.get(key)?.seat === undefined) this.#kernel.health.delete(key);
    }
    if (gone.size > 0) this.#tellGone([...gone.values()]);
  }

  #scheduleRetry(): void {
    this.#timer?.cancel();
    const failed = [...this.#frontends, ...this.#interfaces].filter((row) => row.status.state === 'error');
    if (failed.length === 0) return;
    const delay = Math.min(...failed.map((row) => retryDelayMs(row.status.attempts)));
    this.#timer = this.#clock.after(delay, () => {
      if (!this.#closed && this.#spec !== undefined) this.#reconcile(this.#spec);
    });
  }
}

function sourceRowsIn(rows: Map<number, ShelfView>): SourceRows {
  return {
    read: (id) => rows.get(id),
    write: (id, from) => void (from === undefined ? rows.delete(id) : rows.set(id, from)),
  };
}

function tupleOf({ address, port, protocol }: Frontend): FoundFrontend['tuple'] {
  return { address, port, protocol };
}

function placeKey({ address, port }: Pick<BackendHealth, 'address' | 'port'>): string {
  return `${address} ${port}`;
}

function tupleKey({ address, port, protocol }: Pick<Frontend, 'address' | 'port' | 'protocol'>): string {
  return `${address} ${port} ${protocol}`;
}

function noInterface(address: Ip): string {
  return errorText(`Cannot find the interface of ${address}: there is no route to it: received none`);
}
