/**
 * Which rows of one kind may differ between two snapshots, found by what both share instead of by reading all. A snapshot
 * that says so itself is believed when it follows the other directly; else tables are compared, and layers over one table
 * only by their layers.
 */
import { layeredDifference } from './layered-table.ts';
import type { ObjectKey } from './rows.ts';
import type { ClusterSnapshot, KindName } from './snapshot.ts';

/** Every key that differs is there; a few that do not may be. `before` must be older than `after`, or unrelated to it. */
export function changedKeys(
  before: ClusterSnapshot,
  after: ClusterSnapshot,
  kind: KindName,
): Iterable<ObjectKey> {
  const [old, now]: readonly ReadonlyMap<ObjectKey, unknown>[] = [before[kind], after[kind]];
  if (old === undefined || now === undefined || old === now) return [];
  if (after.changed !== undefined && after.generation === before.generation + 1) {
    return after.changed.get(kind) ?? [];
  }
  return layeredDifference(old, now) ?? compare(old, now);
}

function compare(old: ReadonlyMap<ObjectKey, unknown>, now: ReadonlyMap<ObjectKey, unknown>): Set<ObjectKey> {
  const keys = new Set<ObjectKey>();
  for (const [key, row] of now) if (old.get(key) !== row) keys.add(key);
  for (const key of old.keys()) if (!now.has(key)) keys.add(key);
  return keys;
}
