/**
 * From whose shelf the queries of a frontend are answered: that of its first backend of which anybody said one. The row of
 * a frontend never names a source of somebody who is none of its backends: it is taken back before they change, and given
 * anew after. A new agent finds rows and leaves them as they are until somebody speaks of one of the backends it may be of.
 * Rows name only shelves that are there.
 */
import type { AnswerSource } from '../datapath.ts';
import { MAX_HEALTH } from '../kernel/abi.gen.ts';

export type Place = Pick<AnswerSource, 'address' | 'port'>;
export type ShelfView = NonNullable<AnswerSource['from']>;

/** The rows that the programs read, by a frontend's id. */
export interface SourceRows {
  read(id: number): ShelfView | undefined;
  /** Undefined: nobody's. */
  write(id: number, from: ShelfView | undefined): void;
}

interface Entry {
  readonly id: number;
  places: readonly Place[];
  /** As it stands in the row. */
  row: ShelfView | undefined;
  /** Whose the row may be that an earlier agent left. */
  heirs?: readonly Place[] | undefined;
}

/** One for every address and port that health is known of: as many as there are backends. */
const MAX_SAID = MAX_HEALTH;

export class AnswerSources {
  readonly #rows: SourceRows;
  readonly #hasShelf: (number: number) => boolean;
  readonly #said = new Map<string, Place & { readonly from: ShelfView }>();
  readonly #entries = new Map<number, Entry>();

  constructor(rows: SourceRows, hasShelf: (number: number) => boolean) {
    this.#rows = rows;
    this.#hasShelf = hasShelf;
  }

  /** A frontend that is in the kernel already, with its backends in the order of its slots. */
  inherit(id: number, places: readonly Place[]): void {
    const row = this.#rows.read(id);
    const entry: Entry = { id, places, row, heirs: places };
    this.#entries.set(id, entry);
    if (row !== undefined && !this.#hasShelf(row.shelf)) this.#write(entry, undefined);
  }

  /** Does what makes the frontend lead to these places, and sees to its row before and after. */
  follow(id: number, places: readonly Place[], change: () => void): void {
    const entry = this.#entries.get(id) ?? this.#adopt(id);
    const next = this.#sourceOf(entry, places);
    const { row, heirs } = entry;
    // Slots are written in two steps: who is killed between them leaves some of the backends, perhaps not the row's.
    if (!isSame(row, next) || !areSame(entry.places, places)) this.#write(entry, undefined);
    change();
    entry.places = places;
    this.#write(entry, next);
    if (isSame(row, next)) entry.heirs = heirs;
  }

  /** Does what takes the frontend out of the kernel. */
  drop(id: number, change: () => void): void {
    this.follow(id, [], change);
    this.#entries.delete(id);
  }

  /**
   * Does what takes the last backends from a frontend that goes on being answered; false, and nothing done, if it is not. Whoever
   * serves in their place counts from when it is a backend: until then its shelf is filled by nobody's questions.
   */
  hold(id: number, change: () => void): boolean {
    const entry = this.#entries.get(id);
    if (entry?.row === undefined) return false;
    if (entry.places.length > 0) change();
    entry.places = [];
    entry.heirs = undefined;
    return true;
  }

  /**
   * Does what takes its backends from a frontend, as none of `wanted` can be reached now. False, and nothing done, if it is not
   * answered from one of them; it goes on being so until another word of that one.
   */
  strand(id: number, wanted: readonly Place[], change: () => void): boolean {
    const entry = this.#entries.get(id);
    const keys = new Set(wanted.map(keyOf));
    const left = entry?.places.filter((place) => keys.has(keyOf(place))) ?? [];
    if (entry?.row === undefined || !isSame(this.#sourceOf(entry, left), entry.row)) return false;
    change();
    entry.places = left;
    return true;
  }

  set({ address, port, from }: AnswerSource): void {
    const key = keyOf({ address, port });
    const known = this.#said.has(key) || this.#said.size < MAX_SAID;
    if (from === undefined || !this.#hasShelf(from.shelf) || !known) this.#said.delete(key);
    else this.#said.set(key, { address, port, from });
    for (const entry of this.#entries.values()) {
      if (entry.heirs?.some((place) => keyOf(place) === key)) entry.heirs = undefined;
      if (entry.places.some((place) => keyOf(place) === key)) this.#settle(entry);
    }
  }

  /** Before the shelf goes. */
  forgetShelf(number: number): void {
    for (const [key, { from }] of this.#said) if (from.shelf === number) this.#said.delete(key);
    for (const entry of this.#entries.values()) {
      if (entry.row?.shelf !== number) continue;
      entry.heirs = undefined;
      this.#settle(entry);
    }
  }

  /** Those that were told of, and those found, as the first backend's they may be of. */
  list(): readonly AnswerSource[] {
    const rows = new Map<string, AnswerSource>(this.#said);
    for (const { heirs, row } of this.#entries.values()) {
      const place = heirs?.[0];
      if (place === undefined || row === undefined || rows.has(keyOf(place))) continue;
      rows.set(keyOf(place), { address: place.address, port: place.port, from: row });
    }
    return [...rows.values()];
  }

  /** An agent that was killed may have left there what it knew of another frontend. */
  #adopt(id: number): Entry {
    const entry: Entry = { id, places: [], row: this.#rows.read(id) };
    this.#entries.set(id, entry);
    this.#write(entry, undefined);
    return entry;
  }

  #settle(entry: Entry): void {
    this.#write(entry, this.#sourceOf(entry, entry.places));
  }

  #sourceOf(entry: Entry, places: readonly Place[]): ShelfView | undefined {
    for (const place of places) {
      const said = this.#said.get(keyOf(place));
      if (said !== undefined) return said.from;
    }
    const present = new Set(places.map(keyOf));
    const isLeft = entry.heirs !== undefined && entry.heirs.length > 0;
    return isLeft && entry.heirs?.every((place) => present.has(keyOf(place))) ? entry.row : undefined;
  }

  #write(entry: Entry, from: ShelfView | undefined): void {
    if (isSame(entry.row, from)) return;
    this.#rows.write(entry.id, from);
    entry.row = from;
    entry.heirs = undefined;
  }
}

function isSame(a: ShelfView | undefined, b: ShelfView | undefined): boolean {
  return a?.shelf === b?.shelf && a?.view === b?.view;
}

function areSame(a: readonly Place[], b: readonly Place[]): boolean {
  return a.length === b.length && a.every((place, i) => keyOf(place) === keyOf(b[i] ?? place));
}

function keyOf({ address, port }: Place): string {
  return `${address} ${port}`;
}
