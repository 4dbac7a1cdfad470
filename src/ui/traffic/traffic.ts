/**
 * All the page knows of the traffic: who asks, which way it goes and how fast, which names, and the newest queries. Of fixed
 * size whatever comes: the busiest clients and names have a place, the rest is counted in the whole alone.
 */
import type { GetFlowsResponse } from '../../flow/api.ts';
import { matchesRow, type RowFilter } from '../row-filter.ts';
import type { WireName, WirePod, WirePoint, WireQuery, WireStep, WireWay } from '../wire.ts';
import { NameCounts } from './name-counts.ts';
import { type BookedQuery, QueryBook } from './query-book.ts';
import { EDGES, Scope } from './scope.ts';
import { TopTable } from './top-table.ts';

const CLIENTS = 128;
const NAMES = 256;
const KEPT_QUERIES = 3000;
/** Seconds in which what the source remembers comes in. */
const FIRST_TURNS = 5;
const TOLD_PODS = 60;
const TOLD_NAMES = 14;

interface Kept {
  readonly row: WireQuery;
  readonly steps: readonly WireStep[];
}

export class Traffic {
  readonly #all = new Scope();
  readonly #clients = new TopTable({ places: CLIENTS, create: () => new Scope() });
  readonly #names = new TopTable({ places: NAMES, create: () => new NameCounts() });
  readonly #book = new QueryBook((query) => this.#done(query));
  /** Newest last; numbers are without gaps, so that a place is found by its number. */
  readonly #kept: Kept[] = [];
  #nextId = 1;
  readonly #startMs: number;
  #turns = 0;
  /** Each query counts for so many. */
  #weight = 1;
  lostFlows = 0;
  missedFlows = 0;
  seenFlows = 0;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  see({ flow, lost_events: lost }: GetFlowsResponse): void {
    if (lost !== undefined) {
      const count = Number(lost.num_events_lost) || 0;
      // The ring of the source was read too slowly; everything else was lost before it came there.
      if (lost.source === 'HUBBLE_RING_BUFFER') this.missedFlows += count;
      else this.lostFlows += count;
    }
    if (flow === undefined) return;
    this.seenFlows++;
    this.#book.see(flow);
  }

  /** From now on one query in so many comes. Those that are open are forgotten: their answers need not come. */
  sampleOneIn(oneIn: number): void {
    this.#weight = oneIn;
    this.#book.forgetOpen();
  }

  /** Ends a second. */
  turn(second: number): void {
    this.#turns++;
    this.#all.turn(second);
    for (const scope of this.#clients.values()) scope.turn(second);
    for (const name of this.#names.values()) name.turn();
    this.#clients.fade((scope) => scope.history().some((count) => count > 0));
    this.#names.fade((name) => !name.isQuiet);
  }

  get crowdedOut(): number {
    return this.#clients.crowdedOut + this.#names.crowdedOut;
  }

  /** Of a client that nobody knows: a way without traffic. */
  way(pod?: string): WireWay {
    return this.#scope(pod).way();
  }

  points(pod?: string): readonly WirePoint[] {
    return this.#scope(pod).points();
  }

  pods(): readonly WirePod[] {
    return this.#clients.top(TOLD_PODS).map(([pod, scope]) => {
      const { rate, p99 } = scope.edge(EDGES.indexOf('pod-hook'));
      return {
        pod,
        node: scope.node,
        rate,
        entered: scope.sum('entered'),
        fellBack: scope.sum('fellBack'),
        bypassed: scope.sum('bypassed'),
        dropped: scope.sum('dropped'),
        ...(p99 === undefined ? {} : { p99 }),
        history: scope.history(),
      };
    });
  }

  names(): readonly WireName[] {
    return this.#names.top(TOLD_NAMES).map(([name, counts]) => counts.row(name));
  }

  /** Number of the newest query; `after` takes it. */
  get lastId(): number {
    return this.#nextId - 1;
  }

  /** Matching queries behind number `id`, the newest `limit` of them, oldest first. */
  after(id: number, filter: RowFilter, limit: number): { rows: readonly WireQuery[]; skipped: number } {
    const first = this.#kept[0]?.row.id ?? this.#nextId;
    const rows = this.#kept
      .slice(Math.max(0, id + 1 - first))
      .map(({ row }) => row)
      .filter((row) => matchesRow(filter, row));
    return { rows: rows.slice(-limit), skipped: Math.max(0, rows.length - limit) };
  }

  /** The flows of one query; undefined when it is not kept any more. */
  steps(id: number): readonly WireStep[] | undefined {
    const first = this.#kept[0]?.row.id ?? this.#nextId;
    return this.#kept[id - first]?.steps;
  }

  #scope(pod: string | undefined): Scope {
    if (pod === undefined) return this.#all;
    return this.#clients.get(pod) ?? new Scope();
  }

  #done(query: BookedQuery): void {
    // What was before would all count for the first second. Later nobody asks: a node's clock may be slow.
    const isPast = this.#turns < FIRST_TURNS && query.atMs < this.#startMs;
    if (!isPast) this.#count(query);
    this.#kept.push({ row: toRow(query, this.#nextId++), steps: query.steps });
    if (this.#kept.length > KEPT_QUERIES * 1.25) this.#kept.splice(0, this.#kept.length - KEPT_QUERIES);
  }

  #count(query: BookedQuery): void {
    const weight = this.#weight;
    if (query.asker === 'other') {
      this.#all.countOwn(query, weight);
      this.#clients.touch(query.client).countOwn(query, weight);
      this.#names.touch(query.name.toLowerCase()).count(query.rcode, weight);
    } else {
      this.#all.countFurther(query, weight);
      for (const client of query.causes) this.#clients.touch(client).countFurther(query, weight);
    }
  }
}

function toRow(query: BookedQuery, id: number): WireQuery {
  const { client, node, name, type, outcome, reason, server, rcode, ms } = query;
  const served = servedBy(query);
  return {
    id,
    atMs: Math.round(query.atMs * 1000) / 1000,
    client,
    node,
    asker: query.asker === 'other' ? 'pod' : query.asker,
    name,
    type,
    outcome,
    ...(reason === undefined ? {} : { reason }),
    ...(served === undefined ? {} : { served }),
    server,
    ...(rcode === undefined ? {} : { rcode }),
    ...(ms === undefined ? {} : { ms: Number(ms.toPrecision(4)) }),
  };
}

function servedBy({ byKernel, serverRole, rcode, askedFurther }: BookedQuery): WireQuery['served'] {
  if (byKernel) return 'kernel';
  if (serverRole !== 'cache' || rcode === undefined) return undefined;
  return askedFurther ? 'miss' : 'hit';
}
