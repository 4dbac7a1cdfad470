/**
 * A table that shares all but a few rows with an older one. Copying a map of ten thousand rows because one of them
 * changed costs more than everything else that a change costs. Tables stay immutable: a change makes a new layer.
 * Deliberately absent: layers on layers, which would make every look-up pay for the table's history.
 */
import type { ObjectKey } from './rows.ts';

/** Below this a plain copy is cheaper than looking twice. */
const COPIED_ROWS = 256;

/** `undefined` stands for a row that has gone. */
export type RowChanges<Row> = ReadonlyMap<ObjectKey, Row | undefined>;

/** `before` with `changes` in force. The order of rows that stay is kept. */
export function changedTable<Row>(
  before: ReadonlyMap<ObjectKey, Row>,
  changes: RowChanges<Row>,
): ReadonlyMap<ObjectKey, Row> {
  const layered = before instanceof LayeredTable ? before : undefined;
  const over = layered === undefined ? new Map<ObjectKey, Row | undefined>() : new Map(layered.over);
  for (const [key, row] of changes) over.set(key, row);
  // With n rows and a layer of up to l, a change costs n/l + l/2 steps on average: least at the root of 2n.
  if (before.size >= COPIED_ROWS && over.size ** 2 <= 2 * before.size) {
    return new LayeredTable<Row>(layered?.base ?? before, over);
  }
  const after = new Map(before);
  for (const [key, row] of changes) {
    if (row === undefined) after.delete(key);
    else after.set(key, row);
  }
  return after;
}

/** The keys in which two tables over one base may differ; undefined when they do not share one. */
export function layeredDifference(
  a: ReadonlyMap<ObjectKey, unknown>,
  b: ReadonlyMap<ObjectKey, unknown>,
): ReadonlySet<ObjectKey> | undefined {
  const [baseA, baseB] = [a, b].map((table) => (table instanceof LayeredTable ? table.base : table));
  if (baseA !== baseB) return undefined;
  return new Set([a, b].flatMap((table) => (table instanceof LayeredTable ? [...table.over.keys()] : [])));
}

class LayeredTable<Row> implements ReadonlyMap<ObjectKey, Row> {
  readonly base: ReadonlyMap<ObjectKey, Row>;
  readonly over: RowChanges<Row>;
  readonly size: number;

  constructor(base: ReadonlyMap<ObjectKey, Row>, over: RowChanges<Row>) {
    this.base = base;
    this.over = over;
    let size = base.size;
    for (const [key, row] of over) size += (row === undefined ? 0 : 1) - (base.has(key) ? 1 : 0);
    this.size = size;
  }

  get(key: ObjectKey): Row | undefined {
    return this.over.get(key) ?? (this.over.has(key) ? undefined : this.base.get(key));
  }

  has(key: ObjectKey): boolean {
    return this.over.has(key) ? this.over.get(key) !== undefined : this.base.has(key);
  }

  *entries(): MapIterator<[ObjectKey, Row]> {
    for (const [key, row] of this.base) {
      const now = this.over.has(key) ? this.over.get(key) : row;
      if (now !== undefined) yield [key, now];
    }
    for (const [key, row] of this.over) if (row !== undefined && !this.base.has(key)) yield [key, row];
  }

  *keys(): MapIterator<ObjectKey> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<Row> {
    for (const [, row] of this.entries()) yield row;
  }

  [Symbol.iterator](): MapIterator<[ObjectKey, Row]> {
    return this.entries();
  }

  forEach(visit: (row: Row, key: ObjectKey, table: ReadonlyMap<ObjectKey, Row>) => void): void {
    for (const [key, row] of this.entries()) visit(row, key, this);
  }
}
