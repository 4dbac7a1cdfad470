/**
 * What the kernel is to ask of each backend, put together from what caches and probes say, and written where it differs.
 * An agent that starts finds rows of the one before. It leaves them until it knows better: a seat until its process has
 * had time to come back, and then still while no probe has been answered; a verdict until a probe has spoken. Wrong in
 * one direction only: a query too many goes to the cluster's DNS.
 */
import type { BackendHealth, Datapath } from '../../datapath/datapath.ts';
import type { Ip } from '../../net/ip.ts';
import type { Port } from '../../net/port.ts';
import type { CacheRow } from './cache-desk.ts';

/** Why a row is down while its cache is about to end. */
const LEAVING = 'it is about to end';

export type Place = Pick<BackendHealth, 'address' | 'port'>;

export interface HealthSources {
  /** The one that began to beat last stands last. */
  readonly caches: () => readonly CacheRow[];
  /** What probes say against a place, in words; `answers` when it has answered of late; undefined: nothing yet. */
  readonly probed: (place: Place) => { readonly down: string } | 'answers' | undefined;
}

export class HealthRows {
  readonly #datapath: Pick<Datapath, 'setHealth' | 'health'>;
  readonly #sources: HealthSources;
  /** Of the kernel, by place: only rows that ask for something. */
  readonly #written = new Map<string, BackendHealth>();
  /** From the agent before, until somebody has taken its place. */
  readonly #inherited = new Map<string, BackendHealth>();
  #awaitsOwners = true;

  constructor(datapath: Pick<Datapath, 'setHealth' | 'health'>, sources: HealthSources) {
    this.#datapath = datapath;
    this.#sources = sources;
    for (const row of datapath.health()) {
      if (row.seat === undefined && row.down === undefined) continue;
      this.#written.set(placeKey(row), row);
      this.#inherited.set(placeKey(row), row);
    }
  }

  /** Seats that somebody may come back for. */
  get inheritedSeats(): readonly number[] {
    return [...this.#inherited.values()].flatMap(({ seat }) => seat ?? []);
  }

  /** Nobody who is still alive should have taken so long to come back. */
  stopAwaitingOwners(): void {
    this.#awaitsOwners = false;
    this.sync();
  }

  /** Idempotent. `places` are all that probes know; what caches serve is added. */
  sync(places: readonly Place[] = this.#places): void {
    this.#places = places;
    const caches = this.#sources.caches().filter(({ state }) => state !== 'seated');
    this.#forgetTaken(caches);
    const wanted = new Map<string, BackendHealth>();
    for (const place of this.#allPlaces(caches)) {
      const row = this.#rowOf(place, caches);
      if (row.seat !== undefined || row.down !== undefined) wanted.set(placeKey(place), row);
    }
    for (const [key, row] of wanted) if (!isSame(this.#written.get(key), row)) this.#write(key, row);
    for (const [key, { address, port }] of this.#written) {
      if (!wanted.has(key)) this.#write(key, { address, port });
    }
  }

  #places: readonly Place[] = [];

  #write(key: string, row: BackendHealth): void {
    this.#datapath.setHealth(row);
    if (row.seat === undefined && row.down === undefined) this.#written.delete(key);
    else this.#written.set(key, row);
  }

  /** A cache has its own seat, and those who serve an address now have taken it from whoever did before. */
  #forgetTaken(caches: readonly CacheRow[]): void {
    for (const [key, row] of this.#inherited) {
      const isTaken = caches.some((cache) => cache.seat === row.seat || serves(cache, row));
      if (isTaken || this.#isOutlived(row)) this.#inherited.delete(key);
    }
  }

  #isOutlived(row: BackendHealth): boolean {
    const probed = this.#sources.probed(row);
    const isJudged = probed !== undefined || !this.#isProbed(row);
    if (row.seat === undefined) return isJudged;
    return !this.#awaitsOwners && (probed === 'answers' || !this.#isProbed(row));
  }

  #isProbed(row: Place): boolean {
    return this.#places.some(({ address, port }) => address === row.address && port === row.port);
  }

  #allPlaces(caches: readonly CacheRow[]): Iterable<Place> {
    const all = new Map<string, Place>();
    const served = caches.flatMap(({ hello }) => hello.addresses.flatMap((a) => pairs(a, hello.ports)));
    for (const place of [...this.#places, ...this.#inherited.values(), ...served])
      all.set(placeKey(place), place);
    return all.values();
  }

  #rowOf({ address, port }: Place, caches: readonly CacheRow[]): BackendHealth {
    const serving = caches.filter((cache) => serves(cache, { address, port }));
    const living = serving.findLast(({ state }) => state === 'beating');
    const inherited = this.#inherited.get(placeKey({ address, port }));
    const seat = (living ?? serving.at(-1))?.seat ?? inherited?.seat;
    const down =
      serving.length > 0 && living === undefined ? LEAVING : this.#downOf({ address, port }, inherited);
    return { address, port, ...(seat !== undefined && { seat }), ...(down !== undefined && { down }) };
  }

  #downOf(place: Place, inherited: BackendHealth | undefined): string | undefined {
    const probed = this.#sources.probed(place);
    if (probed === undefined) return inherited?.down;
    return probed === 'answers' ? undefined : probed.down;
  }
}

function serves({ hello }: CacheRow, { address, port }: Place): boolean {
  return hello.addresses.includes(address) && hello.ports.includes(port);
}

function pairs(address: Ip, ports: readonly Port[]): readonly Place[] {
  return ports.map((port) => ({ address, port }));
}

function isSame(a: BackendHealth | undefined, b: BackendHealth): boolean {
  return a?.seat === b.seat && a?.down === b.down;
}

function placeKey({ address, port }: Place): string {
  return `${address} ${port}`;
}
