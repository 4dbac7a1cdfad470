/**
 * One direction of one interface: sees who is there, and brings ours to where the order wants it. A program that has to
 * move is there twice for a moment rather than not at all: a reply that must get its address back never finds nobody.
 */
import type { FilterRow } from '../../sys/hook/filters.ts';
import { programName, queryTcx } from '../../sys/hook/tcx.ts';
import { addOwnFilter, filtersAt, isOwnFilter, putFilter, removeOwnFilter } from './own-filter.ts';
import { createLink, pinnedLinkId, removeLink, updateLink } from './pinned-link.ts';
import { type Chain, type ChainEntry, LAST_PRIORITY, type PlacementRules, placeIn } from './placement.ts';

export interface DirectionSpec {
  readonly ifindex: number;
  readonly direction: 'in' | 'out';
  /** Where links are pinned. */
  readonly directory: string;
  /** Where it is remembered which qdiscs are ours. */
  readonly markers: string;
  readonly rules: PlacementRules;
  /** A descriptor, and its number in the kernel. */
  readonly program: { readonly fd: number; readonly id: number };
}

/** Everyone who hangs there, in the order in which they run; nobody where the interface is gone. */
export function readChain(spec: Pick<DirectionSpec, 'ifindex' | 'direction' | 'directory'>): Chain {
  const { ifindex, direction } = spec;
  const ownLink = pinnedLinkId(spec);
  const links = (queryTcx(ifindex, direction) ?? []).map(({ programId, linkId }): ChainEntry => {
    const ours = ownLink !== undefined && linkId === ownLink;
    return { kind: 'tcx', programId, ours, name: ours ? '' : nameOf(programId) };
  });
  const filters = filtersAt(ifindex, direction).map((filter): ChainEntry => {
    const { programId, kind, name } = filter;
    return { kind: 'clsact', programId, name: name || kind, ours: isOwnFilter(filter), filter };
  });
  return [...links, ...filters];
}

/** What can be told apart without asking for names: a change of it means a change of the chain. Cheap: one system call. */
export function tcxSignature(ifindex: number, direction: 'in' | 'out'): string {
  return (queryTcx(ifindex, direction) ?? []).map(({ programId }) => programId).join();
}

/**
 * Brings ours to its place with the current program, and removes left-overs. With `mayMove` false, what is there and in
 * the wrong place stays. Returns whether anything hung was put elsewhere. Throws an `AppError` that names what is missing.
 */
export function settle(spec: DirectionSpec, mayMove: boolean): boolean {
  const chain = readChain(spec);
  const first = chain.findIndex((entry) => entry.ours);
  const wanted = placeIn(chain, spec.rules);
  const stay =
    first >= 0 && !mayMove && wanted.kind !== 'stay' ? { kind: 'stay' as const, index: first } : wanted;
  if (stay.kind === 'stay') {
    const kept = chain[stay.index];
    if (kept !== undefined) refreshProgram(spec, kept);
    for (const [i, entry] of chain.entries()) if (entry.ours && i !== stay.index) removeEntry(spec, entry);
    return false;
  }
  const old = chain.filter((entry) => entry.ours);
  if (stay.kind === 'clsact') putAsFilter(spec, stay.priority, old);
  else putAsLink(spec, stay.place, old);
  return old.length > 0;
}

/** Whatever of ours hangs there. */
export function removeAll(
  spec: Pick<DirectionSpec, 'ifindex' | 'direction' | 'directory' | 'markers'>,
): void {
  for (const entry of readChain(spec)) if (entry.ours) removeEntry(spec, entry);
  // The pin of an interface that is gone.
  removeLink(spec);
}

function putAsFilter(spec: DirectionSpec, priority: number, old: readonly ChainEntry[]): void {
  addOwnFilter({ ...spec, priority, program: spec.program.fd, besides: filtersOf(old) });
  for (const entry of old) removeEntry(spec, entry);
}

/** The kernel attaches a program to an interface by one link only: a filter stands in while the link is made anew. */
function putAsLink(spec: DirectionSpec, place: 'first' | 'last', old: readonly ChainEntry[]): void {
  const hasLink = old.some(({ kind }) => kind === 'tcx');
  const standsIn = hasLink && spec.rules.kinds.includes('clsact');
  if (standsIn) {
    const besides = filtersOf(old);
    addOwnFilter({ ...spec, priority: LAST_PRIORITY, program: spec.program.fd, besides });
  }
  createLink(spec, spec.program.fd, place);
  if (!standsIn && filtersOf(old).length === 0) return;
  for (const entry of readChain(spec)) if (entry.ours && entry.kind === 'clsact') removeEntry(spec, entry);
}

function refreshProgram(spec: DirectionSpec, { kind, programId, filter }: ChainEntry): void {
  if (programId === spec.program.id) return;
  if (kind === 'tcx') updateLink(spec, spec.program.fd);
  else if (filter !== undefined) putFilter(filter, spec.program.fd);
}

function removeEntry(
  spec: Pick<DirectionSpec, 'ifindex' | 'direction' | 'directory' | 'markers'>,
  { kind, filter }: ChainEntry,
): void {
  if (kind === 'tcx') removeLink(spec);
  else if (filter !== undefined) removeOwnFilter(filter, spec.markers);
}

function filtersOf(entries: readonly ChainEntry[]): readonly FilterRow[] {
  return entries.flatMap(({ filter }) => (filter === undefined ? [] : [filter]));
}

function nameOf(programId: number): string {
  return programName(programId) ?? `program ${programId}`;
}
