/**
 * Where among the owners of a hook ours belongs. Pure. The kernel runs TCX programs first, in their order, and then the
 * filters of clsact, in theirs; so a chain is one list, and whoever wants to be last behind a filter must be a filter.
 */
import type { FilterRow } from '../../sys/hook/filters.ts';
import type { HookKind, HookOrder, HookOwner, HookStatus } from './hook-set.ts';

/** One program at one direction of an interface, in the order in which they run. */
export interface ChainEntry {
  readonly kind: HookKind;
  readonly programId: number;
  readonly name: string;
  readonly ours: boolean;
  /** clsact only. */
  readonly filter?: FilterRow;
}

export type Chain = readonly ChainEntry[];

/** `stay`: the entry of this index is ours and where it should be; others of ours are left-overs. */
export type Placement =
  | { readonly kind: 'stay'; readonly index: number }
  | { readonly kind: 'tcx'; readonly place: 'first' | 'last' }
  | { readonly kind: 'clsact'; readonly priority: number };

export interface PlacementRules {
  readonly order: HookOrder;
  readonly kinds: readonly HookKind[];
}

/**
 * Filters without a priority get 49152 and less from the kernel: this is behind them, with room behind it for those that
 * really want to be last.
 */
export const LAST_PRIORITY = 50_000;
const FIRST_PRIORITY = 1;
const MAX_PRIORITY = 65_535;

export function placeIn(chain: Chain, { order, kinds }: PlacementRules): Placement {
  const index = chain.findIndex((entry, i) => isInPlace(chain, i, order) && kinds.includes(entry.kind));
  if (index >= 0) return { kind: 'stay', index };
  const tcx = kinds.includes('tcx');
  if (order === 'first')
    return tcx ? { kind: 'tcx', place: 'first' } : { kind: 'clsact', priority: FIRST_PRIORITY };
  const filters = chain.filter((entry) => !entry.ours && entry.kind === 'clsact');
  // Someone came behind our link: the next one would, too, and behind a filter no link comes.
  const overtaken = chain.some((entry) => entry.ours);
  if (tcx && filters.length === 0 && (!overtaken || !kinds.includes('clsact')))
    return { kind: 'tcx', place: 'last' };
  const behind = Math.max(LAST_PRIORITY, ...filters.map((entry) => (entry.filter?.priority ?? 0) + 1));
  return { kind: 'clsact', priority: Math.min(MAX_PRIORITY, behind) };
}

function isInPlace(chain: Chain, index: number, order: HookOrder): boolean {
  if (chain[index]?.ours !== true) return false;
  const others = order === 'last' ? chain.slice(index + 1) : chain.slice(0, index);
  return others.every((entry) => entry.ours);
}

/** Undefined when either direction lacks ours. */
export function statusOf(chains: Readonly<Record<'in' | 'out', Chain>>): HookStatus | undefined {
  const at = { in: chains.in.findIndex(isOurs), out: chains.out.findIndex(isOurs) };
  const kind = chains.in[at.in]?.kind;
  if (kind === undefined || at.out < 0) return undefined;
  const others = (['in', 'out'] as const).flatMap((direction) =>
    chains[direction].flatMap((entry, i) =>
      entry.ours ? [] : [ownerOf(entry, direction, i < at[direction])],
    ),
  );
  const order = others.length === 0 ? 'alone' : others.every(({ ahead }) => ahead) ? 'after' : 'before';
  return { kind, order, others };
}

function ownerOf(entry: ChainEntry, direction: 'in' | 'out', ahead: boolean): HookOwner {
  const { kind, name, programId: id, filter } = entry;
  const priority = filter === undefined ? {} : { priority: filter.priority };
  return { kind, name, id, direction, ahead, ...priority };
}

function isOurs(entry: ChainEntry): boolean {
  return entry.ours;
}
