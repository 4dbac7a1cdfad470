/**
 * The redirected frontends and where their backends are. A frontend is written when it is new, has changed, has an
 * error, or when one of its backends moved; else it costs a look into a table of ours.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import type { Frontend } from '../../policy/table.ts';
import type { Log } from '../../telemetry/log.ts';
import type { FrontendRow, GoneBackend } from '../datapath.ts';
import type { Location } from '../place/location.ts';
import type { PodPlaces } from '../place/pod-places.ts';
import { nextStatus } from '../row-status.ts';
import { FRONTEND_SKIP_FROM_BACKEND } from './abi.gen.ts';
import { type BackendTarget, type KernelTable, tupleKey } from './kernel-table.ts';

export interface FrontendParts {
  readonly places: Pick<PodPlaces, 'find'>;
  readonly table: KernelTable;
  readonly log: Pick<Log, 'warning'>;
  readonly now: () => number;
}

type Found = Location | { readonly error: unknown };

interface Entry {
  readonly row: FrontendRow;
  readonly skip: boolean;
}

export class FrontendRows {
  readonly #parts: FrontendParts;
  /** By identity: a frontend that did not change is the same object in the next spec. */
  #entries = new Map<Frontend, Entry>();
  readonly #byTuple = new Map<string, Entry>();
  #rows: readonly FrontendRow[] = [];
  /** Of every backend address that is asked for now. */
  #found = new Map<Ip, Found>();
  #removed: readonly Frontend[] = [];
  #prunedAll = false;
  /** Those that may stay without backends, and those that did. */
  #answering: readonly Frontend[] = [];
  #held: readonly Frontend[] = [];

  constructor(parts: FrontendParts) {
    this.#parts = parts;
  }

  /** In the order of the last spec. */
  rows(): readonly FrontendRow[] {
    return this.#rows;
  }

  /** `recheck`: interfaces may have changed. */
  apply(wanted: readonly Frontend[], skipping: ReadonlySet<ObjectKey>, recheck: boolean): void {
    const moved = recheck ? this.#relocate() : NOTHING;
    const entries = new Map<Frontend, Entry>();
    let changed = wanted.length !== this.#rows.length;
    for (const frontend of wanted) {
      const known = this.#entries.get(frontend);
      const skip = skipping.has(frontend.policy ?? '');
      const settled = known !== undefined && isSettled(known, skip, moved);
      const entry = settled ? known : this.#reconcile(frontend, skip);
      if (entry.row !== this.#rows[entries.size]) changed = true;
      entries.set(frontend, entry);
    }
    if (!changed) return;
    const left = [...this.#entries.values()].map(({ row }) => row.frontend);
    this.#entries = entries;
    this.#rows = [...entries.values()].map(({ row }) => row);
    this.#forget(left.filter((frontend) => !entries.has(frontend)));
  }

  /** These stay from the next pruning on while they are answered without a backend. */
  hold(answering: readonly Frontend[]): void {
    this.#answering = answering;
  }

  /** Takes from the kernel what no spec asks for any more; tells which backends went with it. */
  prune(): readonly GoneBackend[] {
    const { table } = this.#parts;
    const isWanted = (frontend: Frontend) => this.#byTuple.has(tupleKey(frontend));
    const held = this.#answering.filter((frontend) => !isWanted(frontend) && table.hold(frontend));
    const kept = new Set(held.map(tupleKey));
    if (!this.#prunedAll) table.prune([...this.#rows.map(({ frontend }) => frontend), ...held]);
    else
      for (const frontend of [...this.#removed, ...this.#held])
        if (!isWanted(frontend) && !kept.has(tupleKey(frontend))) table.remove(frontend);
    this.#prunedAll = true;
    this.#held = held;
    this.#removed = [];
    return table.collect();
  }

  /** A frontend that changed is another object with the same tuple: only the tuple says that it is gone. */
  #forget(left: readonly Frontend[]): void {
    const wanted = new Set(this.#entries.values());
    const gone = [...this.#removed, ...left].filter((frontend) => {
      const entry = this.#byTuple.get(tupleKey(frontend));
      return entry === undefined || !wanted.has(entry);
    });
    for (const frontend of gone) this.#byTuple.delete(tupleKey(frontend));
    this.#removed = gone;
    if (left.length === 0) return;
    const used = new Set(
      this.#rows.flatMap(({ frontend }) => frontend.backends.map(({ address }) => address)),
    );
    for (const address of this.#found.keys()) if (!used.has(address)) this.#found.delete(address);
  }

  #reconcile(frontend: Frontend, skip: boolean): Entry {
    const key = tupleKey(frontend);
    const previous = this.#byTuple.get(key)?.row;
    const entry = { skip, row: this.#write(frontend, skip, previous) };
    this.#byTuple.set(key, entry);
    return entry;
  }

  #write(frontend: Frontend, skip: boolean, previous: FrontendRow | undefined): FrontendRow {
    const { table, now, log } = this.#parts;
    try {
      const { targets, error } = this.#locateBackends(frontend);
      if (targets.length === 0) {
        // A pod's interface goes before the pod is told to have gone. Without a backend packets go their ordinary way.
        if (!table.strand(frontend, frontend.backends)) table.remove(frontend);
        throw error;
      }
      const { id, changed } = table.write(frontend, skip ? FRONTEND_SKIP_FROM_BACKEND : 0, targets);
      const outcome = error === undefined ? { changed } : { error };
      const status = nextStatus(previous?.status, outcome, now());
      const same = previous?.frontend === frontend && previous.id === id && previous.status === status;
      return same ? previous : { id, frontend, status };
    } catch (error) {
      const status = nextStatus(previous?.status, { error }, now());
      const name = `${frontend.address}:${frontend.port}/${frontend.protocol}`;
      if (status.attempts === 1) log.warning(`datapath: frontend ${name}: ${errorText(error)}`);
      return { id: table.idOf(frontend) ?? previous?.id ?? 0, frontend, status };
    }
  }

  /** Backends that go away serve only when there is no other (local-redirect-policy R5). */
  #locateBackends(frontend: Frontend): { targets: readonly BackendTarget[]; error?: unknown } {
    const active = frontend.backends.filter((backend) => backend.state === 'active');
    const candidates = active.length > 0 ? active : frontend.backends;
    const targets: BackendTarget[] = [];
    let error: unknown;
    for (const { address, port, protocol } of candidates) {
      const found = this.#locate(address);
      if ('error' in found) error = found.error;
      else targets.push({ address, port, protocol, ifindex: found.ifindex, netnsId: found.netnsId });
    }
    return error === undefined ? { targets } : { targets, error };
  }

  #locate(address: Ip): Found {
    const known = this.#found.get(address);
    if (known !== undefined && !('error' in known)) return known;
    const found = this.#find(address);
    this.#found.set(address, found);
    return found;
  }

  #find(address: Ip): Found {
    try {
      return this.#parts.places.find(address);
    } catch (error) {
      return { error };
    }
  }

  /** Addresses that are elsewhere now. */
  #relocate(): ReadonlySet<Ip> {
    const moved = [...this.#found.keys()].filter((address) => {
      const [before, now] = [this.#found.get(address), this.#find(address)];
      this.#found.set(address, now);
      if (before === undefined || 'error' in before || 'error' in now) return true;
      return before.ifindex !== now.ifindex || before.netnsId !== now.netnsId;
    });
    return new Set(moved);
  }
}

const NOTHING: ReadonlySet<Ip> = new Set();

function isSettled({ row, skip: known }: Entry, skip: boolean, moved: ReadonlySet<Ip>): boolean {
  if (row.status.state === 'error' || known !== skip) return false;
  return moved.size === 0 || !row.frontend.backends.some(({ address }) => moved.has(address));
}
