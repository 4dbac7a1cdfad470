/**
 * Gathers changes of several kinds and publishes them as one snapshot, at most one per interval. A change that leaves
 * a row as it was (most pod updates touch only fields we do not keep) publishes nothing.
 */
import { changedTable, type RowChanges } from '../cluster/layered-table.ts';
import type { ObjectKey } from '../cluster/rows.ts';
import type { ClusterSnapshot, KindName, KindRows } from '../cluster/snapshot.ts';
import type { Store } from '../store/store.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import { sameRow } from './same-row.ts';

type AnyRow = KindRows[KindName];

export interface SnapshotBatch {
  /** The whole truth about a kind; marks it synced, unless it is doubted. */
  replace(kind: KindName, rows: ReadonlyMap<ObjectKey, AnyRow>): void;
  /** Undefined removes. */
  change(kind: KindName, key: ObjectKey, row: AnyRow | undefined): void;
  /** A kind that is doubted is not synced, whatever is known of it, until it is doubted no more. */
  doubt(kind: KindName, doubted: boolean): void;
  /** Drops what has not been published. */
  close(): void;
}

export interface SnapshotBatchSpec {
  readonly snapshot: Store<ClusterSnapshot>;
  readonly clock: Clock;
  readonly intervalMs: number;
}

interface Pending {
  /** Set when a list came: it replaces everything before, later changes are laid over it. */
  base: ReadonlyMap<ObjectKey, AnyRow> | undefined;
  readonly changes: Map<ObjectKey, AnyRow | undefined>;
}

export function createSnapshotBatch(spec: SnapshotBatchSpec): SnapshotBatch {
  const { snapshot, clock, intervalMs } = spec;
  const pending = new Map<KindName, Pending>();
  /** Of kinds that have been listed. */
  const listed = new Set<KindName>();
  const doubted = new Set<KindName>();
  let publishedAtMs = Number.NEGATIVE_INFINITY;
  let scheduled = false;
  let closed = false;
  let timer: Timer | undefined;

  function publish(): void {
    scheduled = false;
    timer = undefined;
    if (closed) return;
    for (const [kind, { base }] of pending) if (base !== undefined) listed.add(kind);
    const synced = [...listed].filter((kind) => !doubted.has(kind));
    const next = applied(snapshot.get(), pending, synced);
    pending.clear();
    if (next === undefined) return;
    publishedAtMs = clock.monotonicMs();
    snapshot.set(next);
  }

  function schedule(): void {
    if (scheduled || closed) return;
    scheduled = true;
    const waitMs = publishedAtMs + intervalMs - clock.monotonicMs();
    if (waitMs <= 0) queueMicrotask(publish);
    else timer = clock.after(waitMs, publish);
  }

  function pendingOf(kind: KindName): Pending {
    const known = pending.get(kind);
    if (known !== undefined) return known;
    const made: Pending = { base: undefined, changes: new Map() };
    pending.set(kind, made);
    return made;
  }

  return {
    replace(kind, rows) {
      pending.set(kind, { base: rows, changes: new Map() });
      schedule();
    },
    change(kind, key, row) {
      pendingOf(kind).changes.set(key, row);
      schedule();
    },
    doubt(kind, isDoubted) {
      if (isDoubted) doubted.add(kind);
      else doubted.delete(kind);
      schedule();
    },
    close() {
      closed = true;
      timer?.cancel();
      pending.clear();
    },
  };
}

/** Undefined when nothing a reader could see has changed. */
function applied(
  current: ClusterSnapshot,
  pending: ReadonlyMap<KindName, Pending>,
  synced: readonly KindName[],
): ClusterSnapshot | undefined {
  const tables: Partial<Record<KindName, ReadonlyMap<ObjectKey, AnyRow>>> = {};
  const changed = new Map<KindName, ReadonlySet<ObjectKey>>();
  for (const [kind, { base, changes }] of pending) {
    const before: ReadonlyMap<ObjectKey, AnyRow> = current[kind];
    const real = realChanges(before, base === undefined ? changes : listChanges(before, base, changes));
    if (real.size > 0) {
      tables[kind] = changedTable(before, real);
      changed.set(kind, new Set(real.keys()));
    }
  }
  const { size } = current.synced;
  const isSame = synced.length === size && synced.every((kind) => current.synced.has(kind));
  if (isSame && changed.size === 0) return undefined;
  // Each kind's map was filled by that kind's own converter; the compiler cannot follow the pairing through a loop.
  const merged = { ...current, ...tables } as ClusterSnapshot;
  const generation = current.generation + 1;
  return { ...merged, generation, changed, synced: isSame ? current.synced : new Set(synced) };
}

/** What a list and the changes after it come to, seen from the table before. */
function listChanges(
  before: ReadonlyMap<ObjectKey, AnyRow>,
  base: ReadonlyMap<ObjectKey, AnyRow>,
  later: RowChanges<AnyRow>,
): RowChanges<AnyRow> {
  const changes = new Map<ObjectKey, AnyRow | undefined>(base);
  for (const key of before.keys()) if (!base.has(key)) changes.set(key, undefined);
  for (const [key, row] of later) changes.set(key, row);
  return changes;
}

/** Without those that leave a row as it was. */
function realChanges(
  before: ReadonlyMap<ObjectKey, AnyRow>,
  changes: RowChanges<AnyRow>,
): RowChanges<AnyRow> {
  const real = new Map<ObjectKey, AnyRow | undefined>();
  for (const [key, row] of changes) {
    const known = before.get(key);
    if (known === row || (known !== undefined && row !== undefined && sameRow(known, row))) continue;
    real.set(key, row);
  }
  return real;
}
