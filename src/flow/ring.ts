/**
 * The node's memory of flows: a bounded ring, newest overwrites oldest, each entry with a sequence number that never
 * repeats. Readers hold a number, not a place, so a slow reader is overtaken, can count what it missed, and costs nobody
 * else anything. Memory only; deliberately no history beyond the ring.
 */
import type { GetFlowsResponse } from './api.ts';

export interface RingEntry {
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
  readonly response: GetFlowsResponse;
}

/** As Hubble's (spec hubble 6.4): capacity is one less than a power of two. */
export const DEFAULT_RING_CAPACITY = 4095;
export const MAX_RING_CAPACITY = 65535;

export class FlowRing {
  readonly #slots: (RingEntry | undefined)[];
  readonly #waiting = new Set<() => void>();
  #next = 0;

  /** `capacity` is raised to the next 2^n - 1, at most `MAX_RING_CAPACITY`. */
  constructor(capacity: number = DEFAULT_RING_CAPACITY) {
    let size = 1;
    while (size < capacity && size < MAX_RING_CAPACITY) size = size * 2 + 1;
    this.#slots = Array.from({ length: size });
  }

  get capacity(): number {
    return this.#slots.length;
  }

  /** The number the next entry will get: also how many entries there have ever been. Safe up to 2^53. */
  get next(): number {
    return this.#next;
  }

  /** The number of the oldest entry still here; equals `next` when empty. */
  get oldest(): number {
    return Math.max(0, this.#next - this.#slots.length);
  }

  push(entry: RingEntry): void {
    this.#slots[this.#next % this.#slots.length] = entry;
    this.#next++;
    if (this.#waiting.size === 0) return;
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** Nothing for a number that is overwritten or not yet given. */
  at(sequence: number): RingEntry | undefined {
    if (sequence < this.oldest || sequence >= this.#next) return undefined;
    return this.#slots[sequence % this.#slots.length];
  }

  /** Calls `wake` once, at the next push; returns the way to stop waiting. */
  onNext(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => {
      this.#waiting.delete(wake);
    };
  }
}
