/** Redirects as the maps hold them, for who wants to see what packets meet and not what was meant. */
import type { Ip } from '../net/ip.ts';
import type { Port, Protocol } from '../net/port.ts';
import type { ShelfView } from './answers/answer-sources.ts';

export interface DumpedTuple {
  readonly address: Ip;
  readonly port: Port;
  readonly protocol: Protocol;
}

export interface DumpedSlot {
  readonly backendId: number;
  /** Absent when the slot leads to nothing: a fault that packets answer by falling back. */
  readonly backend?: DumpedTuple | undefined;
}

export interface DumpedFrontend extends DumpedTuple {
  readonly id: number;
  readonly skipFromBackend: boolean;
  readonly slots: readonly DumpedSlot[];
  /** Whose answers its queries may get; absent: nobody's. */
  readonly answers?: ShelfView;
}

/** The part of a row that tells of its source. */
export function dumpedSource(from: ShelfView | undefined): Pick<DumpedFrontend, 'answers'> {
  return from === undefined ? {} : { answers: { shelf: from.shelf, view: from.view } };
}
