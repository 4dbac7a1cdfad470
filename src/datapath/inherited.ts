/** Frontends found in the kernel at the start, until a spec takes them over or may prune them. */
import type { Backend, Frontend } from '../policy/table.ts';
import type { FrontendRow } from './datapath.ts';

type Tuple = Pick<Frontend, 'address' | 'port' | 'protocol'>;

export interface FoundFrontend {
  readonly id: number;
  readonly tuple: Tuple;
  readonly backends: readonly Tuple[];
}

/** Those that lead anywhere, in the order of their ids: a hash map of the kernel tells its entries in another order each time it is made. */
export function inheritedRows(found: Iterable<FoundFrontend>, sinceMs: number): readonly FrontendRow[] {
  const redirected = [...found].filter(({ backends }) => backends.length > 0);
  return redirected.map((row) => inheritedRow(row, sinceMs)).sort((a, b) => a.id - b.id);
}

function inheritedRow({ id, tuple, backends }: FoundFrontend, sinceMs: number): FrontendRow {
  const active = backends.map((backend): Backend => ({ ...backend, state: 'active' }));
  const frontend: Frontend = { ...tuple, type: 'LocalRedirect', service: '', backends: active };
  return { id, frontend, status: { state: 'done', sinceMs, attempts: 1 } };
}

/** Those that are nobody's yet. */
export function stillInherited(
  rows: readonly FrontendRow[],
  wanted: readonly Frontend[],
  mayPrune: boolean,
): readonly FrontendRow[] {
  if (mayPrune) return [];
  return rows.filter(({ frontend }) => !wanted.some((other) => isSameTuple(frontend, other)));
}

export function isSameTuple(a: Tuple, b: Tuple): boolean {
  return a.address === b.address && a.port === b.port && a.protocol === b.protocol;
}
