/**
 * The routes in shared memory, on the writer's side: the whole table is written into the next of several places, then
 * its number is published. Readers copy it when the number has changed.
 */
import type { PartitionSpec, Route, RouteSpec } from './contract.ts';
import { HEAD, MAX_COUNTED, MAX_COUNTED_OF_TABLE, ROUTE_TABLE_WORDS, ROUTE_TABLES } from './layout.ts';
import type { Memory } from './memory.ts';
import { encodeLowerName } from './name-bytes.ts';
import { RouteCounters } from './route-counters.ts';

/**
 * A table is the number of listeners, then for each the number of its routes, then the routes, each of these words and
 * its zone behind them in whole words.
 */
export const ROUTE = {
  ID: 0,
  ZONE_BYTES: 1,
  /** 0 when the main thread answers. */
  PARTITION: 2,
  /** Of `ROUTE_FLAGS`. */
  FLAGS: 3,
  /** 0: no limit. */
  LIMIT: 4,
  /** Where it is counted; -1 when it is not. */
  COUNTERS: 5,
  PREFETCH_HITS: 6,
  PREFETCH_GAP: 7,
  PREFETCH_PERCENT: 8,
  ZONE: 9,
} as const;
export const ROUTE_FLAGS = { SHUFFLE: 1, KEEP_TTL: 2, POSITIVE_FIRST: 4 } as const;

type SpecOf = (partition: number) => PartitionSpec | undefined;

export class RouteTable {
  readonly #memory: Memory;
  readonly #specOf: SpecOf;
  #number = 0;
  #nextId = 0;
  #nextSlot = 0;

  constructor(memory: Memory, specOf: SpecOf) {
    this.#memory = memory;
    this.#specOf = specOf;
  }

  /** A table that is too large for its place is published empty: then the main thread answers everything. */
  replace(listeners: readonly (readonly RouteSpec[])[]): readonly (readonly Route[])[] {
    const { words, geometry } = this.#memory;
    let counted = 0;
    const table: number[] = [listeners.length];
    const routes = listeners.map((specs) => {
      table.push(specs.length);
      return specs.map((spec) => {
        const slot =
          spec.replay?.counted === true && counted < MAX_COUNTED_OF_TABLE ? this.#takeSlot() : undefined;
        if (slot !== undefined) counted++;
        const id = this.#nextId++;
        table.push(...this.#routeWords(spec, id, slot));
        return routeOf(this.#memory, id, slot);
      });
    });
    this.#number = (this.#number + 1) | 0;
    const base = geometry.routes + ((this.#number >>> 0) % ROUTE_TABLES) * ROUTE_TABLE_WORDS;
    words.set(table.length <= ROUTE_TABLE_WORDS ? table : [0], base);
    Atomics.store(words, HEAD.ROUTES, this.#number);
    return routes;
  }

  #routeWords({ zone, replay }: RouteSpec, id: number, slot: number | undefined): readonly number[] {
    const bytes = encodeLowerName(zone);
    const spec = replay && this.#specOf(replay.partition);
    // What should be counted and cannot be is not answered unseen.
    const replays = replay !== undefined && spec !== undefined && (!replay.counted || slot !== undefined);
    const padded = new Int32Array((bytes.length + 3) >> 2);
    new Uint8Array(padded.buffer).set(bytes);
    return [
      id,
      bytes.length,
      replays ? replay.partition : 0,
      (replay?.shuffle ? ROUTE_FLAGS.SHUFFLE : 0) |
        (spec?.keepTtl ? ROUTE_FLAGS.KEEP_TTL : 0) |
        (spec?.positiveFirst ? ROUTE_FLAGS.POSITIVE_FIRST : 0),
      replay?.limitBytes ?? 0,
      slot ?? -1,
      spec?.prefetch?.hits ?? 0,
      Math.min(spec?.prefetch?.gapMs ?? 0, 0x7fff_ffff),
      spec?.prefetch?.percent ?? 0,
      ...padded,
    ];
  }

  /** In turn: where a reader that is slow to follow counts, no route of the next table is counted. */
  #takeSlot(): number {
    const slot = this.#nextSlot;
    this.#nextSlot = (slot + 1) % MAX_COUNTED;
    return slot;
  }
}

function routeOf(memory: Memory, id: number, slot: number | undefined): Route {
  const counters = slot === undefined ? undefined : new RouteCounters(memory, slot);
  return { id, takeTotals: () => counters?.takeTotals() };
}
