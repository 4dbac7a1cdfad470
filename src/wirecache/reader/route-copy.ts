/** The routes as one reader holds them: copied from shared memory when they were replaced, never changed. */
import type { FoldedName } from '../folded-name.ts';
import { ROUTE_TABLE_WORDS, ROUTE_TABLES } from '../layout.ts';
import type { Memory } from '../memory.ts';
import { ROUTE, ROUTE_FLAGS } from '../route-table.ts';

export interface LocalRoute {
  readonly id: number;
  readonly zone: Uint8Array;
  /** 0: the main thread answers. */
  readonly partition: number;
  readonly shuffles: boolean;
  readonly keepsTtl: boolean;
  /** Where there are both a success and a denial, the main thread decides. */
  readonly positiveFirst: boolean;
  /** 0: no limit. */
  readonly limitBytes: number;
  /** -1: not counted. */
  readonly counters: number;
  readonly prefetchHits: number;
  readonly prefetchGapMs: number;
  readonly prefetchPercent: number;
}

interface Listener {
  readonly routes: readonly LocalRoute[];
  /** 1 where there is a zone of so many bytes. */
  readonly lengths: Uint8Array;
  /** Bytes of the longest zone. */
  readonly longest: number;
}

export class RouteCopy {
  readonly #listeners: readonly Listener[];

  /** `number` is that of the published table. */
  constructor({ words, geometry }: Memory, number: number) {
    const base = geometry.routes + ((number >>> 0) % ROUTE_TABLES) * ROUTE_TABLE_WORDS;
    // A copy: whatever happens to the table from here on, this reader keeps to what it has.
    const table = words.slice(base, base + ROUTE_TABLE_WORDS);
    let at = 1;
    this.#listeners = Array.from({ length: table[0] ?? 0 }, () => {
      const count = table[at++] ?? 0;
      const routes = Array.from({ length: count }, () => {
        const route = localRoute(table, at);
        at += ROUTE.ZONE + ((route.zone.length + 3) >> 2);
        return route;
      });
      const lengths = new Uint8Array(256);
      for (const { zone } of routes) lengths[zone.length] = 1;
      return { routes, lengths, longest: Math.max(0, ...routes.map(({ zone }) => zone.length)) };
    });
  }

  /** The longest zone that holds the name; the first of equals. */
  find(listener: number, name: FoldedName): LocalRoute | undefined {
    const of = this.#listeners[listener];
    if (of === undefined) return undefined;
    const { bytes, length } = name;
    // Most listeners have the root and nothing else.
    if (of.longest === 1) return of.routes[0];
    for (let at = 0; at < length; at += 1 + (bytes[at] ?? 0)) {
      if (of.lengths[length - at] !== 1) continue;
      for (const route of of.routes) if (endsWith(bytes, at, length, route.zone)) return route;
    }
    return undefined;
  }
}

function endsWith(bytes: Uint8Array, from: number, length: number, zone: Uint8Array): boolean {
  if (zone.length !== length - from) return false;
  for (let i = 0; i < zone.length; i++) if (bytes[from + i] !== zone[i]) return false;
  return true;
}

function localRoute(table: Int32Array, at: number): LocalRoute {
  const word = (field: number) => table[at + field] ?? 0;
  const flags = word(ROUTE.FLAGS);
  return {
    id: word(ROUTE.ID),
    zone: new Uint8Array(table.buffer, 4 * (at + ROUTE.ZONE), word(ROUTE.ZONE_BYTES)).slice(),
    partition: word(ROUTE.PARTITION),
    shuffles: (flags & ROUTE_FLAGS.SHUFFLE) !== 0,
    keepsTtl: (flags & ROUTE_FLAGS.KEEP_TTL) !== 0,
    positiveFirst: (flags & ROUTE_FLAGS.POSITIVE_FIRST) !== 0,
    limitBytes: word(ROUTE.LIMIT),
    counters: word(ROUTE.COUNTERS),
    prefetchHits: word(ROUTE.PREFETCH_HITS),
    prefetchGapMs: word(ROUTE.PREFETCH_GAP),
    prefetchPercent: word(ROUTE.PREFETCH_PERCENT),
  };
}
