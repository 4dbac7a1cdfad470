/**
 * All the page knows, as one value, and how it changes. Pure. What must stay true: while somebody reads the table (pointer
 * over it, scrolled, a row open, or held by hand) no row in it moves; what comes meanwhile waits, in bounded number.
 */
import type { WireDoctor, WirePoint, WireQuery, WireRows, WireSnapshot, WireStep } from '../wire.ts';
import type { Choice, Filters } from './filters.ts';

export type Hold = 'pointer' | 'scrolled' | 'open' | 'focus' | 'hand';

export interface PageState {
  readonly choice: Choice;
  /** `locked`: the address has not the key. */
  readonly link: 'connecting' | 'open' | 'lost' | 'locked';
  readonly snapshot: WireSnapshot | undefined;
  readonly points: readonly WirePoint[];
  /** Newest first. */
  readonly rows: readonly WireQuery[];
  readonly waiting: readonly WireQuery[];
  /** Matched, but were too many to be told. */
  readonly skipped: number;
  readonly holds: readonly Hold[];
  readonly open: { readonly id: number; readonly steps: readonly WireStep[] | undefined } | undefined;
  readonly doctor: WireDoctor | 'running' | undefined;
  readonly isHelpOpen: boolean;
}

export const MAX_ROWS = 250;
export const MAX_POINTS = 300;

export function firstState(choice: Choice): PageState {
  return {
    choice,
    link: 'connecting',
    snapshot: undefined,
    points: [],
    rows: [],
    waiting: [],
    skipped: 0,
    holds: [],
    open: undefined,
    doctor: undefined,
    isHelpOpen: false,
  };
}

export function takeSnapshot(state: PageState, snapshot: WireSnapshot): PageState {
  const last = state.points.at(-1)?.[0] ?? 0;
  const added = snapshot.points.filter(([second = 0]) => snapshot.allPoints || second > last);
  const points = snapshot.allPoints ? added : [...state.points, ...added];
  return { ...state, link: 'open', snapshot, points: points.slice(-MAX_POINTS) };
}

export function takeRows(state: PageState, { rows, skipped, fresh }: WireRows): PageState {
  const newest = rows.toReversed();
  // Asked for by a filter just set: that is what the reader waits for, whatever is held.
  if (fresh)
    return {
      ...state,
      rows: newest.slice(0, MAX_ROWS),
      waiting: [],
      skipped: 0,
      open: undefined,
      holds: without(state.holds, 'open'),
    };
  const waiting = [...newest, ...state.waiting].slice(0, MAX_ROWS);
  const overflow = newest.length + state.waiting.length - waiting.length;
  return settle({ ...state, waiting, skipped: state.skipped + skipped + overflow });
}

export function hold(state: PageState, reason: Hold, isHeld: boolean): PageState {
  if (state.holds.includes(reason) === isHeld) return state;
  const holds = isHeld ? [...state.holds, reason] : without(state.holds, reason);
  return settle({ ...state, holds });
}

/** The newest, whatever was held: the reader asked for them. */
export function release(state: PageState): PageState {
  return settle({ ...state, holds: [], open: undefined });
}

export function openRow(state: PageState, id: number | undefined): PageState {
  if (id === undefined) return hold({ ...state, open: undefined }, 'open', false);
  return hold({ ...state, open: { id, steps: undefined } }, 'open', true);
}

export function takeSteps(state: PageState, id: number, steps: readonly WireStep[]): PageState {
  return state.open?.id === id ? { ...state, open: { id, steps } } : state;
}

export function setFilters(state: PageState, change: Partial<Filters>): PageState {
  const { choice } = state;
  return { ...state, choice: { ...choice, filters: { ...choice.filters, ...change } } };
}

/** Draws this pod's way; the points of another's go. */
export function showPod(state: PageState, show: string): PageState {
  if (state.choice.show === show) return state;
  return { ...state, choice: { ...state.choice, show } };
}

/** New ones go in when nobody is reading. */
function settle(state: PageState): PageState {
  if (state.holds.length > 0 || state.waiting.length === 0) return { ...state };
  return { ...state, rows: [...state.waiting, ...state.rows].slice(0, MAX_ROWS), waiting: [], skipped: 0 };
}

function without(holds: readonly Hold[], reason: Hold): readonly Hold[] {
  return holds.filter((each) => each !== reason);
}
