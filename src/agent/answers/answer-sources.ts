/**
 * Where queries may get whose answers, followed from the caches that are connected and written where it differs. The newest
 * cache that beats at an address has it. One that ends or hangs leaves its answers behind: they are right until they expire,
 * and whoever starts in its place needs a moment. They go when another cache has the address, when nothing is redirected
 * there any more and no frontend is answered without backends from them, or when ten minutes have passed; at once where a
 * frontend has another backend whose cache beats: that one hears of changes.
 */
import type { AnswerSource, Datapath } from '../../datapath/datapath.ts';
import { ipFamily } from '../../net/ip.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { CacheRow } from '../health/cache-desk.ts';
import type { Place } from '../health/health-rows.ts';

/** Longer than a container takes to start anew, however often it failed before (the kubelet waits five minutes at most). */
export const KEEP_MS = 600_000;

export interface AnswerSourcesOptions {
  readonly datapath: Pick<Datapath, 'setAnswerSource' | 'answerSources' | 'frontends' | 'inherited'>;
  readonly clock: Clock;
  /** The one that began to beat last stands last. */
  readonly caches: () => readonly CacheRow[];
  /** Shelves that frontends without backends are answered from: the backend may come back before its cache does. */
  readonly lasting: () => ReadonlySet<number>;
  /** Called after sources went by themselves. */
  readonly onExpired: () => void;
}

export class AnswerSources {
  readonly #options: AnswerSourcesOptions;
  /** By place; each names a shelf. */
  readonly #written = new Map<string, AnswerSource>();
  /** By place, since when no cache serves there, in milliseconds of the monotonic clock. */
  readonly #keptSince = new Map<string, number>();
  #awaitsOwners = true;
  #timer: Timer | undefined;

  constructor(options: AnswerSourcesOptions) {
    this.#options = options;
    for (const row of options.datapath.answerSources()) this.#written.set(placeKey(row), row);
  }

  get rows(): readonly AnswerSource[] {
    return [...this.#written.values()];
  }

  /** Those of the agent before have had their time to come back. */
  stopAwaitingOwners(): void {
    this.#awaitsOwners = false;
  }

  /** Idempotent. */
  sync(): void {
    const served = this.#served();
    for (const row of served.values()) this.#write(row);
    const backends = this.#backends(served);
    const lasting = this.#options.lasting();
    const nowMs = this.#options.clock.monotonicMs();
    for (const [key, { address, port, from }] of this.#written) {
      if (served.has(key)) {
        this.#keptSince.delete(key);
        continue;
      }
      const sinceMs = this.#keptSince.get(key) ?? nowMs;
      this.#keptSince.set(key, sinceMs);
      const isRead = backends.has(key) || (from !== undefined && lasting.has(from.shelf));
      const isWanted = isRead && nowMs - sinceMs < KEEP_MS;
      if (!isWanted && !this.#awaitsOwners) this.#write({ address, port });
    }
    this.#wait(nowMs);
  }

  /** Nothing is answered from caches any more. */
  clear(): void {
    for (const { address, port } of [...this.#written.values()]) this.#write({ address, port });
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** A row for every place of the caches that beat in time; without a source where the newest one has none. */
  #served(): ReadonlyMap<string, AnswerSource> {
    const rows = new Map<string, AnswerSource>();
    for (const cache of this.#options.caches()) {
      if (cache.state !== 'beating' || cache.isLate) continue;
      for (const address of cache.hello.addresses)
        for (const port of cache.hello.ports) {
          const from = sourceOf(cache, { address, port });
          rows.set(placeKey({ address, port }), { address, port, ...(from && { from }) });
        }
    }
    return rows;
  }

  /**
   * Places that packets go to, those of an earlier agent included; without those at whose side one is served, because nobody
   * takes out of a dead cache's shelf what has changed since.
   */
  #backends(served: ReadonlyMap<string, AnswerSource>): ReadonlySet<string> {
    const { datapath } = this.#options;
    const keys = [...datapath.frontends(), ...datapath.inherited()].map(({ frontend }) =>
      frontend.backends.map(placeKey),
    );
    const overtaken = new Set(
      keys.filter((of) => of.some((key) => served.get(key)?.from !== undefined)).flat(),
    );
    return new Set(keys.flat().filter((key) => served.has(key) || !overtaken.has(key)));
  }

  #write(row: AnswerSource): void {
    const key = placeKey(row);
    const before = this.#written.get(key)?.from;
    if (before?.shelf === row.from?.shelf && before?.view === row.from?.view) return;
    this.#options.datapath.setAnswerSource(row);
    if (row.from !== undefined) this.#written.set(key, row);
    else {
      this.#written.delete(key);
      this.#keptSince.delete(key);
    }
  }

  #wait(nowMs: number): void {
    this.#timer?.cancel();
    if (this.#keptSince.size === 0) return;
    const dueMs = Math.min(...this.#keptSince.values()) + KEEP_MS;
    this.#timer = this.#options.clock.after(Math.max(0, dueMs - nowMs), () => {
      this.sync();
      this.#options.onExpired();
    });
  }
}

/** All addresses of a family. */
const UNSPECIFIED = { 4: '0.0.0.0', 6: '::' } as const;

/**
 * The listener that a query to this place comes to: the kernel prefers the socket with the address to that of all of its
 * family, and that to one of all addresses.
 */
function sourceOf({ shelf, hello }: CacheRow, { address, port }: Place): AnswerSource['from'] {
  if (shelf === undefined) return undefined;
  const listeners = (hello.answers?.listeners ?? []).filter((listener) => listener.port === port);
  const asked =
    listeners.find((listener) => listener.address === address) ??
    listeners.find((listener) => listener.address === UNSPECIFIED[ipFamily(address)]) ??
    listeners.find((listener) => listener.address === undefined);
  return asked && { shelf, view: asked.view };
}

function placeKey({ address, port }: Place): string {
  return `${address} ${port}`;
}
