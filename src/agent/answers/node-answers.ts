/**
 * The agent's side of the answer map: who fills which part of it, and whose queries get answers from where. The map itself is
 * between caches and programs, who need no agent for it: what stands there when this closes goes on being answered until it
 * expires, and the next agent finds it. An agent that is to have no answers takes away what the one before it left.
 */
import type { AnswerShelf, Datapath } from '../../datapath/datapath.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Hello } from '../../heartbeat/messages.ts';
import { formatAddressPort } from '../../net/port.ts';
import { tupleKey } from '../../policy/order.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { CacheRow } from '../health/cache-desk.ts';
import { AnswerSources } from './answer-sources.ts';
import type { AnsweringFrontend } from './answering-frontends.ts';
import {
  type AnswersReport,
  type LastingJson,
  type Listeners,
  listenersOf,
  shelfJson,
} from './answers-report.ts';
import { type AnswerEntry, listEntries } from './shelf-entries.ts';
import { ShelfOffice } from './shelf-office.ts';
import { ShelfReader } from './shelf-reader.ts';

/** Some ten megabytes of JSON; the rest is counted. */
const MOST_LISTED = 50_000;

export interface NodeAnswersOptions {
  readonly datapath: Datapath;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warning'>;
  /** Entries of each shelf. `off`: nothing is answered. Absent: what `datapath` was opened for. */
  readonly wanted: number | 'off' | undefined;
  /** The one that began to beat last stands last. */
  readonly caches: () => readonly CacheRow[];
  /** Frontends that may be answered for though they have no backend. Default: none. */
  readonly answering?: () => readonly AnsweringFrontend[];
}

/** As JSON. */
export interface ListedEntry extends AnswerEntry {
  /** `*:53` for all addresses of the cache; absent when nobody has said what the view is. */
  readonly listener?: string;
}

export interface ListedEntries {
  readonly entries: readonly ListedEntry[];
  /** Further ones, which are not listed. */
  readonly left: number;
}

export class NodeAnswers {
  readonly #options: NodeAnswersOptions;
  readonly #sources: AnswerSources;
  readonly #office: ShelfOffice;
  /** By shelf, as its cache last said. */
  readonly #listeners = new Map<number, Listeners>();
  /** Shelves of the agent before, while their owners may come back. */
  #awaited: ReadonlySet<number>;
  #listing: Promise<ListedEntries> | undefined;

  constructor(options: NodeAnswersOptions) {
    this.#options = options;
    const { datapath, clock, log, caches } = options;
    this.#sources = new AnswerSources({
      ...{ datapath, clock, caches },
      lasting: () => new Set(this.#lasting().keys()),
      onExpired: () => this.#closeUnused(),
    });
    this.#office = new ShelfOffice({
      ...{ datapath, log },
      taken: () => [...caches().flatMap(({ shelf }) => shelf ?? []), ...this.#lasting().keys()],
      sources: () => this.#sources.rows,
    });
    this.#awaited = new Set(datapath.shelves().map(({ number }) => number));
    if (options.wanted === 'off') this.#takeAway();
  }

  /** For a cache that says what it serves; `held` is what it has already. Undefined: it does without. */
  grant(hello: Hello, held: number | undefined): AnswerShelf | undefined {
    return this.#options.wanted === 'off' ? undefined : this.#office.grant(hello, held);
  }

  /** Idempotent; to be called when caches or frontends have changed. */
  sync(): void {
    if (this.#options.wanted === 'off') return;
    this.#sources.sync();
    for (const cache of this.#options.caches())
      if (cache.shelf !== undefined) this.#listeners.set(cache.shelf, listenersOf(cache));
    this.#closeUnused();
  }

  /** Nobody who is still alive should have taken so long to come back. */
  stopAwaitingOwners(): void {
    this.#awaited = new Set();
    this.#sources.stopAwaitingOwners();
    this.sync();
  }

  report(): AnswersReport {
    const { datapath, wanted } = this.#options;
    const lasting = this.#lasting();
    const { problem } = this.#office;
    const sources = this.#sources.rows;
    return {
      on: wanted !== 'off',
      ...(typeof wanted === 'number' && { entries: wanted }),
      ...(problem !== undefined && { problem }),
      shelves: datapath.shelves().map((shelf) => {
        const cache = this.#cacheOf(shelf.number);
        return shelfJson(shelf, {
          ...(cache && { cache }),
          listeners: this.#listenersOf(shelf.number),
          sources,
          lasting: lasting.get(shelf.number) ?? [],
        });
      }),
    };
  }

  /** By name; a shelf that cannot be read has no entries. Whoever asks while it is made gets the same. */
  list(): Promise<ListedEntries> {
    this.#listing ??= this.#list().finally(() => {
      this.#listing = undefined;
    });
    return this.#listing;
  }

  /** Everything stays as it stands. */
  close(): void {
    this.#sources.close();
  }

  async #list(): Promise<ListedEntries> {
    const entries: ListedEntry[] = [];
    let left = 0;
    const { datapath } = this.#options;
    for (const shelf of datapath.shelves()) {
      // While another was read it may have been closed, and its descriptors be somebody else's by now.
      if (datapath.shelf(shelf.number) !== shelf) continue;
      const listeners = this.#listenersOf(shelf.number);
      const listed = await this.#listShelf(shelf, MOST_LISTED - entries.length);
      for (const entry of listed.entries) {
        const listener = listeners.get(entry.view);
        entries.push({ ...entry, ...(listener !== undefined && { listener }) });
      }
      left += listed.left;
    }
    return { entries: entries.sort(byName), left };
  }

  async #listShelf(shelf: AnswerShelf, most: number) {
    const nothing = { entries: [], left: 0 };
    if (shelf.fds.some((fd) => fd < 0)) return nothing;
    let memory: ShelfReader | undefined;
    try {
      memory = new ShelfReader(shelf);
      return await listEntries(memory, {
        ...{ shelf: shelf.number, most },
        nowNs: () => process.hrtime.bigint(),
      });
    } catch (error) {
      this.#options.log.warning(`Cannot look into shelf ${shelf.number}: ${errorText(error)}`);
      return nothing;
    } finally {
      memory?.close();
    }
  }

  #cacheOf(number: number): CacheRow | undefined {
    return this.#options.caches().find(({ shelf }) => shelf === number);
  }

  #listenersOf(number: number): Listeners {
    const cache = this.#cacheOf(number);
    return cache === undefined ? (this.#listeners.get(number) ?? new Map()) : listenersOf(cache);
  }

  /**
   * By shelf, the frontends without backends that are answered from it. The kernel is asked: whose answers stood there when
   * the backend went may have been another's since.
   */
  #lasting(): ReadonlyMap<number, readonly LastingJson[]> {
    const { datapath, clock, answering } = this.#options;
    const shelves = new Map<number, LastingJson[]>();
    const listed = answering?.() ?? [];
    if (listed.length === 0) return shelves;
    const toEpochMs = clock.nowMs() - clock.monotonicMs();
    const until = new Map(listed.map(({ frontend, untilMs }) => [tupleKey(frontend), untilMs]));
    for (const row of datapath.dump()) {
      const untilMs = until.get(tupleKey(row));
      if (row.slots.length > 0 || row.answers === undefined || untilMs === undefined) continue;
      const frontend = formatAddressPort(row.address, row.port);
      const others = shelves.get(row.answers.shelf) ?? [];
      shelves.set(row.answers.shelf, [...others, { frontend, untilMs: untilMs + toEpochMs }]);
    }
    return shelves;
  }

  /** Whoever is connected may go on filling its own, wherever it is read. */
  #closeUnused(): void {
    const { datapath, caches } = this.#options;
    const used = new Set([
      ...caches().flatMap(({ shelf }) => shelf ?? []),
      ...this.#sources.rows.flatMap(({ from }) => from?.shelf ?? []),
      ...this.#lasting().keys(),
      ...this.#awaited,
    ]);
    for (const { number } of datapath.shelves()) {
      if (used.has(number)) continue;
      datapath.closeShelf(number);
      this.#listeners.delete(number);
    }
  }

  #takeAway(): void {
    this.#sources.clear();
    for (const { number } of this.#options.datapath.shelves()) this.#options.datapath.closeShelf(number);
  }
}

function byName(a: AnswerEntry, b: AnswerEntry): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.type !== b.type) return a.type < b.type ? -1 : 1;
  return a.shelf - b.shelf || a.view - b.view;
}
