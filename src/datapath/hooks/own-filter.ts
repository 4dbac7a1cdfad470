/**
 * Filters of ours on clsact, and the qdisc itself. A filter outlives the process without any pin, so it is known by its name.
 * A qdisc is shared: it is taken away only where we put it and nobody else has a filter on it. That we put it there is
 * remembered by an empty directory beside the pins, because a qdisc bears no name.
 */
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../fault/app-error.ts';
import {
  addClsact,
  type FilterKey,
  type FilterRow,
  hasIngressQdisc,
  listFilters,
  listHookQdiscs,
  removeClsact,
  removeFilter,
  replaceFilter,
} from '../../sys/hook/filters.ts';
import { DATAPATH_ERRORS } from '../errors.ts';
import { refusal, tooOld } from '../kernel/load-program.ts';

const NAMES = { in: 'zerohop_in', out: 'zerohop_out' } as const;
/** Two, so that one can be put in front of the other at the same priority before that one goes. */
const HANDLES = [0x7a68, 0x7a69] as const;
const DIRECTIONS = ['in', 'out'] as const;

export function isOwnFilter({ kind, name, direction }: FilterRow): boolean {
  return kind === 'bpf' && name === NAMES[direction];
}

/** All filters there, others' too, in the order in which they run. */
export function filtersAt(ifindex: number, direction: 'in' | 'out'): readonly FilterRow[] {
  // An ingress qdisc would answer for what leaves with what comes in.
  if (direction === 'out' && hasIngressQdisc(ifindex)) return [];
  return listFilters(ifindex, direction);
}

export interface OwnFilterSpec {
  readonly ifindex: number;
  readonly direction: 'in' | 'out';
  readonly priority: number;
  readonly program: number;
  /** Filters of ours that stay until this one is there. */
  readonly besides: readonly FilterRow[];
  /** Where it is remembered that the qdisc is ours. */
  readonly markers: string;
}

/** Adds one; makes the qdisc when there is none. Throws an `AppError` that names what is missing. */
export function addOwnFilter({ besides, markers, program, ...place }: OwnFilterSpec): void {
  const { ifindex, direction } = place;
  ensureQdisc(ifindex, direction, markers);
  const taken = besides.filter(({ priority }) => priority === place.priority).map(({ handle }) => handle);
  const handle = HANDLES.find((one) => !taken.includes(one)) ?? HANDLES[0];
  putFilter({ ...place, handle }, program);
}

/** Swaps the program in one step. */
export function putFilter(key: FilterKey, program: number): void {
  const result = replaceFilter(key, program, NAMES[key.direction]);
  if (result !== 'OK') throw refused(`put a filter on interface ${key.ifindex}`, result);
}

/** Nothing when it is not there. */
export function removeOwnFilter(filter: FilterKey, markers: string): void {
  removeFilter(filter);
  dropQdisc(filter.ifindex, markers);
}

/** Interfaces of this namespace that have a filter of ours. */
export function filteredIfindexes(): readonly number[] {
  const qdiscs = listHookQdiscs().map(({ ifindex }) => ifindex);
  return qdiscs.filter((ifindex) =>
    DIRECTIONS.some((direction) => ownFilters(ifindex, direction).length > 0),
  );
}

/**
 * Takes away every filter of ours in this network namespace, without pins and without knowing who put it there: filters
 * outlive their process. Qdiscs of ours go with them where the pins of the one who put them there still say so:
 * `linksDirectory` is where its links are pinned. Links are pinned and go with their pins.
 */
export function removeFilters(linksDirectory: string): void {
  for (const ifindex of filteredIfindexes()) {
    for (const direction of DIRECTIONS)
      for (const filter of ownFilters(ifindex, direction)) removeFilter(filter);
    dropQdisc(ifindex, markersBeside(linksDirectory));
  }
}

/** The directory of markers that belongs to a directory of pinned links. */
export function markersBeside(linksDirectory: string): string {
  return join(linksDirectory, '..', 'clsact');
}

/** The interface is gone: its number may be another's one day. */
export function forgetQdisc(ifindex: number, markers: string): void {
  const marker = join(markers, String(ifindex));
  if (existsSync(marker)) rmdirSync(marker);
}

function ownFilters(ifindex: number, direction: 'in' | 'out'): readonly FilterRow[] {
  return filtersAt(ifindex, direction).filter(isOwnFilter);
}

function ensureQdisc(ifindex: number, direction: 'in' | 'out', markers: string): void {
  const what = `put a clsact qdisc on interface ${ifindex}`;
  const result = addClsact(ifindex);
  if (result === 'EEXIST') {
    if (direction === 'out' && hasIngressQdisc(ifindex)) throw hookTaken(what);
    return;
  }
  if (result !== 'OK') throw refused(what, result);
  mkdirSync(join(markers, String(ifindex)), { recursive: true });
}

function dropQdisc(ifindex: number, markers: string): void {
  if (!existsSync(join(markers, String(ifindex)))) return;
  if (DIRECTIONS.some((direction) => filtersAt(ifindex, direction).length > 0)) return;
  removeClsact(ifindex);
  forgetQdisc(ifindex, markers);
}

function hookTaken(what: string): AppError {
  const message = `Cannot ${what}: a qdisc of another program is in its place: received ingress`;
  return new AppError('DATAPATH_HOOK_TAKEN', message, { hint: DATAPATH_ERRORS.DATAPATH_HOOK_TAKEN.cure });
}

function refused(what: string, result: string): AppError {
  if (result === 'EPERM' || result === 'EACCES') return refusal(what, -1, '');
  // No such kind of qdisc or filter: the kernel was built without it.
  if (result === 'ENOENT' || result === 'EOPNOTSUPP')
    return tooOld(what, 'CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF', '4.5');
  return new AppError('SYS_CALL_FAILED', `Cannot ${what}: ${result}`);
}
