/**
 * The datapath in the kernel: a reconciler that brings maps and links to the wanted state, row by row, and keeps
 * trying what failed. Rows carry their own errors; nobody upstream could do anything about them.
 * Interfaces come before frontends, so that a redirected query finds its way back already in place.
 * Attaching waits for the kernel some 20 ms per interface; between interfaces other work of this thread gets its turn.
 * The thread must stay in the node's network namespace.
 */
import { setImmediate } from 'node:timers/promises';
import { errorText } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import type { Frontend } from '../../policy/table.ts';
import type { BpfMap } from '../../sys/bpf-map.ts';
import { openLibc } from '../../sys/libc.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type {
  BackendHealth,
  BeatMap,
  Datapath,
  DatapathCounters,
  DatapathSpec,
  FrontendRow,
  GoneBackend,
  InterfaceRow,
  LocalPod,
} from '../datapath.ts';
import { inheritedRows, isSameTuple, stillInherited } from '../inherited.ts';
import { nextStatus, preciseNow, retryDelayMs } from '../row-status.ts';
import { BEAT_SIZE, FRONTEND_SKIP_FROM_BACKEND, MAX_SEATS } from './abi.gen.ts';
import { EndpointTable } from './endpoint-table.ts';
import { type EventListener, EventReader } from './event-reader.ts';
import { HealthTable } from './health-table.ts';
import { KernelCounters } from './kernel-counters.ts';
import { type BackendTarget, KernelTable } from './kernel-table.ts';
import type { Links } from './links.ts';
import { type Location, locateAddress } from './locate.ts';

export interface KernelParts {
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: ReadonlyMap<string, number>;
  readonly links: Links;
  readonly ringBytes: number;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
  readonly clock: Clock;
  /** Lets another process have the pins; called once, when nothing is written any more. */
  readonly unlock: () => void;
  /** Unpins everything. */
  readonly unpin: () => void;
}

/** How often interfaces are looked at again without being asked: a pod can get a new one under an old address. */
const REFRESH_MS = 5000;

export class KernelDatapath implements Datapath {
  readonly #parts: KernelParts;
  readonly #table: KernelTable;
  readonly #health: HealthTable;
  readonly beats: BeatMap;
  readonly #endpoints: EndpointTable;
  readonly #counters: KernelCounters;
  readonly #events: EventReader;
  readonly #now: () => number;
  #spec: DatapathSpec | undefined;
  #frontends: readonly FrontendRow[] = [];
  #inherited: readonly FrontendRow[];
  #interfaces: readonly InterfaceRow[] = [];
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
    this.#table = new KernelTable({ frontends, slots, backends }, this.#health);
    this.beats = { fd: this.#map('beats').fd, seats: MAX_SEATS, beatBytes: BEAT_SIZE };
    this.#endpoints = new EndpointTable(this.#map('endpoints'));
    this.#counters = new KernelCounters(this.#map('counters'));
    this.#events = new EventReader({
      ring: { fd: this.#map('events').fd, size: parts.ringBytes },
      config: this.#map('config'),
      clock: parts.clock,
      log: parts.log,
      countLost: () => this.#counters.eventsLost(),
    });
    this.#now = preciseNow(parts.clock);
    this.#inherited = inheritedRows(this.#table.rows(), this.#now());
  }

  apply(spec: DatapathSpec): Promise<void> {
    this.#spec = spec;
    return this.#enqueue(() => this.#reconcile(spec));
  }

  frontends(): readonly FrontendRow[] {
    return this.#frontends;
  }

  inherited(): readonly FrontendRow[] {
    return this.#inherited;
  }

  interfaces(): readonly InterfaceRow[] {
    return this.#interfaces;
  }

  counters(): DatapathCounters {
    return this.#lastCounters ?? this.#counters.read();
  }

  setHealth(row: BackendHealth): void {
    if (!this.#closed) this.#health.set(row);
  }

  health(): readonly BackendHealth[] {
    return this.#health.rows();
  }

  onBackendsGone(listener: (gone: readonly GoneBackend[]) => void): void {
    this.#tellGone = listener;
  }

  onEvent(listener: EventListener): void {
    if (!this.#closed) this.#events.listen(listener);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#lastCounters = this.#counters.read();
    this.#timer?.cancel();
    this.#events.close();
    for (const map of this.#parts.maps.values()) map.close();
    for (const fd of this.#parts.programs.values()) openLibc().close(fd);
    this.#parts.unlock();
  }

  remove(): void {
    this.close();
    this.#parts.unpin();
  }

  /** What fails here fails the caller, but not those behind it in the queue. */
  #enqueue(run: () => Promise<void>): Promise<void> {
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #reconcile(spec: DatapathSpec): Promise<void> {
    if (this.#closed) return;
    const attached = new Set(this.#parts.links.sweep());
    const rows: InterfaceRow[] = [];
    for (const pod of [...spec.pods].sort((a, b) => (a.pod < b.pod ? -1 : 1))) {
      const before = attached.size;
      rows.push(...this.#reconcilePod(pod, attached));
      if (attached.size > before) await setImmediate();
      if (this.#closed) return;
    }
    this.#interfaces = rows;
    const wanted = spec.frontends.filter((row) => row.type === 'LocalRedirect' && row.backends.length > 0);
    const skip = new Set(spec.skipPolicies ?? []);
    this.#frontends = wanted.map((frontend) =>
      this.#reconcileFrontend(frontend, skip.has(frontend.policy ?? '')),
    );
    if (spec.mayPrune) this.#prune(wanted, spec.pods);
    this.#inherited = stillInherited(this.#inherited, wanted, spec.mayPrune);
    this.#scheduleNext();
  }

  /** Pods without an address have no row yet; an address is one interface. */
  #reconcilePod(pod: LocalPod, attached: Set<number>): readonly InterfaceRow[] {
    const address = pod.addresses[0];
    if (address === undefined) return [];
    const previous = this.#interfaces.find((row) => row.pod === pod.pod && row.address === address);
    const base = { pod: pod.pod, address, permitted: pod.permitted ?? false, redirects: true };
    try {
      const { ifindex, ifname } = locateAddress(address);
      // The pod shares the node's namespace: there is no interface of its own to hang on.
      if (ifindex === 0) return [];
      const changed = !attached.has(ifindex);
      if (changed) this.#parts.links.attach(ifindex);
      attached.add(ifindex);
      this.#endpoints.write(pod.addresses, ifindex);
      return [{ ...base, ifindex, ifname, status: nextStatus(previous?.status, { changed }, this.#now()) }];
    } catch (error) {
      const status = nextStatus(previous?.status, { error }, this.#now());
      if (status.attempts === 1) this.#parts.log.warning(`datapath: pod ${pod.pod}: ${errorText(error)}`);
      return [{ ...base, ifindex: previous?.ifindex ?? 0, ifname: previous?.ifname ?? '', status }];
    }
  }

  #reconcileFrontend(frontend: Frontend, skip: boolean): FrontendRow {
    const previous = this.#frontends.find((row) => isSameTuple(row.frontend, frontend));
    try {
      const { targets, error } = locateBackends(frontend);
      if (targets.length === 0) {
        // Redirected to nothing it would be a hole; left out, packets go their ordinary way.
        this.#table.remove(frontend);
        throw error;
      }
      const { id, changed } = this.#table.write(frontend, skip ? FRONTEND_SKIP_FROM_BACKEND : 0, targets);
      const outcome = error === undefined ? { changed } : { error };
      return { id, frontend, status: nextStatus(previous?.status, outcome, this.#now()) };
    } catch (error) {
      const status = nextStatus(previous?.status, { error }, this.#now());
      const name = `${frontend.address}:${frontend.port}/${frontend.protocol}`;
      if (status.attempts === 1) this.#parts.log.warning(`datapath: frontend ${name}: ${errorText(error)}`);
      return { id: this.#table.idOf(frontend) ?? previous?.id ?? 0, frontend, status };
    }
  }

  /** Frontends first: their packets must not lose the way back while they are still redirected. */
  #prune(wanted: readonly Frontend[], pods: readonly LocalPod[]): void {
    const gone = this.#table.prune(wanted);
    if (gone.length > 0) this.#tellGone(gone);
    this.#endpoints.prune(new Set(pods.flatMap((pod) => pod.addresses)));
    const keep = new Set(this.#interfaces.map((row) => row.ifindex));
    for (const ifindex of this.#parts.links.ifindexes())
      if (!keep.has(ifindex)) this.#parts.links.detach(ifindex);
  }

  #scheduleNext(): void {
    this.#timer?.cancel();
    const failed = [...this.#frontends, ...this.#interfaces].filter((row) => row.status.state === 'error');
    const delays = failed.map((row) => retryDelayMs(row.status.attempts));
    this.#timer = this.#parts.clock.after(Math.min(REFRESH_MS, ...delays), () => {
      this.#enqueue(async () => {
        if (this.#spec !== undefined) await this.#reconcile(this.#spec);
      }).catch((error: unknown) => {
        this.#parts.log.error(`datapath: ${errorText(error)}`);
        this.#scheduleNext();
      });
    });
  }

  #map(name: string): BpfMap {
    const map = this.#parts.maps.get(name);
    if (map === undefined) throw new Error(`No map ${name}`);
    return map;
  }
}

/** Backends that go away serve only when there is no other (local-redirect-policy R5). */
function locateBackends(frontend: Frontend): { targets: readonly BackendTarget[]; error?: unknown } {
  const active = frontend.backends.filter((backend) => backend.state === 'active');
  const candidates = active.length > 0 ? active : frontend.backends;
  const targets: BackendTarget[] = [];
  let error: unknown;
  for (const { address, port, protocol } of candidates) {
    const found = tryLocate(address);
    if ('error' in found) error = found.error;
    else targets.push({ address, port, protocol, ifindex: found.ifindex, netnsId: found.netnsId });
  }
  return error === undefined ? { targets } : { targets, error };
}

function tryLocate(address: Ip): Location | { readonly error: unknown } {
  try {
    return locateAddress(address);
  } catch (error) {
    return { error };
  }
}
