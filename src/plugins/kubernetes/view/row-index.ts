/**
 * Rows of one kind found by something other than their key: slices by service, pods by address. Follows a snapshot's
 * table by applying only the rows that differ, because one changed endpoint must not cost a walk over every address in
 * the cluster. Rows are told apart by identity: a table that kept a row's object did not change it.
 */
import type { ObjectKey } from '../../../cluster/rows.ts';

/** Before and after of one key; one of the two is absent when the row came or went. */
export interface RowChange<Row> {
  readonly before?: Row;
  readonly after?: Row;
}

export interface RowIndex<Row> {
  /** In the order the rows came; empty when there are none. Valid until the next `apply`. */
  get(key: string): readonly Row[];
  apply(changes: readonly RowChange<Row>[]): void;
}

const NONE: readonly never[] = [];

/** Nearly all rows have one key or none, and there are fifty thousand of them in a first list. */
function distinct(keys: readonly string[]): Iterable<string> {
  return keys.length < 2 ? keys : new Set(keys);
}

/** As `tableChanges`, for keys that are known to cover every difference. */
export function keyChanges<Row>(
  before: ReadonlyMap<ObjectKey, Row>,
  after: ReadonlyMap<ObjectKey, Row>,
  keys: Iterable<ObjectKey>,
): RowChange<Row>[] {
  const changes: RowChange<Row>[] = [];
  for (const key of keys) {
    const old = before.get(key);
    const row = after.get(key);
    if (old === row) continue;
    changes.push({ ...(old !== undefined && { before: old }), ...(row !== undefined && { after: row }) });
  }
  return changes;
}

/** What it takes to get from one table to the next: a walk over keys, no look into the rows. */
export function tableChanges<Row>(
  before: ReadonlyMap<ObjectKey, Row>,
  after: ReadonlyMap<ObjectKey, Row>,
): RowChange<Row>[] {
  if (before === after) return [];
  const changes: RowChange<Row>[] = [];
  for (const [key, row] of after) {
    const old = before.get(key);
    if (old === undefined) changes.push({ after: row });
    else if (old !== row) changes.push({ before: old, after: row });
  }
  for (const [key, row] of before) {
    if (!after.has(key)) changes.push({ before: row });
  }
  return changes;
}

/** `keysOf` must give the same keys for the same row each time; a key given twice counts once. */
export function createRowIndex<Row>(keysOf: (row: Row) => readonly string[]): RowIndex<Row> {
  const rows = new Map<string, Row[]>();

  function remove(key: string, row: Row): void {
    const left = rows.get(key)?.filter((other) => other !== row) ?? [];
    if (left.length === 0) rows.delete(key);
    else rows.set(key, left);
  }

  function add(key: string, row: Row): void {
    const present = rows.get(key);
    if (present === undefined) rows.set(key, [row]);
    else present.push(row);
  }

  return {
    get: (key) => rows.get(key) ?? NONE,
    apply(changes) {
      for (const { before, after } of changes) {
        if (before !== undefined) for (const key of distinct(keysOf(before))) remove(key, before);
        if (after !== undefined) for (const key of distinct(keysOf(after))) add(key, after);
      }
    },
  };
}
