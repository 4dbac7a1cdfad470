/**
 * From what the API server says to what the node should do: one pure function for doctor, dry run and tests. Input maps
 * are read in any order and the table comes out the same. What follows a running cluster uses the deriver, which says the
 * same.
 */
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import { createDeriver, type DeriveOptions } from './deriver.ts';
import type { ServiceTable } from './table.ts';

export type { DeriveOptions } from './deriver.ts';

export function derive(snapshot: ClusterSnapshot, options: DeriveOptions): ServiceTable {
  return createDeriver(options).update(snapshot);
}
