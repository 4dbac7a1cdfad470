/**
 * Who asks most, in memory of fixed size, however many there are (Metwally, Agrawal, El Abbadi: Space-Saving, 2005): a
 * newcomer takes the place of the one with the fewest, and its count with it, as `error`. Whoever really asked more than the
 * least count is in the table; counts are too high by at most `error`, never too low.
 */
import type { Ip } from '../../net/ip.ts';
import { ipFromBytes } from '../../net/ip.ts';

export interface ClientCounts {
  readonly address: Ip;
  readonly queries: number;
  /** So much of `queries` may be another's. */
  readonly error: number;
  /** Of the answers since it is in the table. */
  readonly failures: number;
  readonly nameErrors: number;
  readonly latencyNs: number;
  readonly answers: number;
}

const PLACES = 512;
/** Open addressing, half full at most. */
const INDEX = 2048;

export class TopClients {
  readonly #addresses = new Int32Array(PLACES * 4);
  readonly #addressBytes = new Uint8Array(this.#addresses.buffer);
  readonly #hashes = new Int32Array(PLACES);
  readonly #queries = new Float64Array(PLACES);
  readonly #errors = new Float64Array(PLACES);
  readonly #answers = new Float64Array(PLACES);
  readonly #failures = new Float64Array(PLACES);
  readonly #nameErrors = new Float64Array(PLACES);
  readonly #latencies = new Float64Array(PLACES);
  /** Place + 1; 0 is empty. */
  readonly #index = new Uint16Array(INDEX);
  #used = 0;

  /** The address is the four words from `at`, `hash` is its own. */
  query(words: Int32Array, at: number, hash: number): void {
    let place = this.#find(words, at, hash);
    if (place < 0) place = this.#take(words, at, hash);
    this.#queries[place] = (this.#queries[place] ?? 0) + 1;
  }

  /** `latencyNs` negative: not known. */
  answer(words: Int32Array, at: number, hash: number, rcode: number, latencyNs: number): void {
    const place = this.#find(words, at, hash);
    if (place < 0) return;
    if (rcode === 3) this.#nameErrors[place] = (this.#nameErrors[place] ?? 0) + 1;
    else if (rcode !== 0) this.#failures[place] = (this.#failures[place] ?? 0) + 1;
    if (latencyNs < 0) return;
    this.#answers[place] = (this.#answers[place] ?? 0) + 1;
    this.#latencies[place] = (this.#latencies[place] ?? 0) + latencyNs;
  }

  /** Most queries first. */
  list(): readonly ClientCounts[] {
    const rows = Array.from({ length: this.#used }, (_, place) => ({
      address: ipFromBytes(this.#addressBytes.subarray(place * 16, place * 16 + 16)),
      queries: this.#queries[place] ?? 0,
      error: this.#errors[place] ?? 0,
      failures: this.#failures[place] ?? 0,
      nameErrors: this.#nameErrors[place] ?? 0,
      latencyNs: this.#latencies[place] ?? 0,
      answers: this.#answers[place] ?? 0,
    }));
    return rows.sort((a, b) => b.queries - a.queries);
  }

  #find(words: Int32Array, at: number, hash: number): number {
    for (let i = hash & (INDEX - 1); ; i = (i + 1) & (INDEX - 1)) {
      const place = (this.#index[i] ?? 0) - 1;
      if (place < 0) return -1;
      if (this.#hashes[place] === hash && this.#isAt(place, words, at)) return place;
    }
  }

  #isAt(place: number, words: Int32Array, at: number): boolean {
    const own = this.#addresses;
    for (let i = 0; i < 4; i++) if (own[place * 4 + i] !== words[at + i]) return false;
    return true;
  }

  /** A place for a newcomer. */
  #take(words: Int32Array, at: number, hash: number): number {
    const isFull = this.#used === PLACES;
    const place = isFull ? this.#least() : this.#used++;
    for (let i = 0; i < 4; i++) this.#addresses[place * 4 + i] = words[at + i] ?? 0;
    this.#hashes[place] = hash;
    this.#errors[place] = this.#queries[place] ?? 0;
    for (const counts of [this.#answers, this.#failures, this.#nameErrors, this.#latencies])
      counts[place] = 0;
    if (isFull) this.#indexAll();
    else this.#enter(place);
    return place;
  }

  #least(): number {
    let least = 0;
    for (let i = 1; i < PLACES; i++) if ((this.#queries[i] ?? 0) < (this.#queries[least] ?? 0)) least = i;
    return least;
  }

  #indexAll(): void {
    this.#index.fill(0);
    for (let place = 0; place < PLACES; place++) this.#enter(place);
  }

  #enter(place: number): void {
    let i = (this.#hashes[place] ?? 0) & (INDEX - 1);
    while (this.#index[i] !== 0) i = (i + 1) & (INDEX - 1);
    this.#index[i] = place + 1;
  }
}
