/**
 * Queries on their way, by ID: each gets one that no other has at the time. Who is not answered for a while makes room for
 * others but is remembered, since the answer may still come: an upstream may be silent, and then it takes seconds.
 */
import { Random } from './random.ts';

export interface Asked {
  readonly index: number;
  readonly packet: Uint8Array;
  readonly sentMs: number;
}

/** Longer than any chain may take. */
const FORGET_MS = 12_000;
const IDS = 0x1_0000;

export class WaitingList {
  #next: number;
  readonly #asked: (Asked | undefined)[] = new Array(IDS).fill(undefined);
  /** Oldest first. */
  readonly #order: { readonly id: number; readonly asked: Asked }[] = [];
  /** Of `order`: those in front of it make no more room. */
  #tired = 0;
  #size = 0;
  forgotten = 0;

  constructor(seed: number) {
    this.#next = new Random(seed).below(IDS);
  }

  /** Of those that were asked within the last `tiredMs`, about. */
  get size(): number {
    return this.#size - this.#tired;
  }

  get all(): number {
    return this.#size;
  }

  enter(asked: Asked): number {
    do this.#next = (this.#next + 1) % IDS;
    while (this.#asked[this.#next] !== undefined);
    const id = this.#next;
    this.#asked[id] = asked;
    this.#order.push({ id, asked });
    this.#size++;
    return id;
  }

  take(id: number): Asked | undefined {
    const asked = this.#asked[id];
    if (asked === undefined) return undefined;
    this.#asked[id] = undefined;
    this.#size--;
    return asked;
  }

  /** Nobody will answer them any more: their connection has ended. How many there were. */
  abandon(): number {
    const left = this.#size;
    for (const { id, asked } of this.#order.splice(0)) {
      if (this.#asked[id] === asked) this.take(id);
    }
    this.#tired = 0;
    return left;
  }

  /** Looks at the clock: who is older than `tiredMs` no longer counts, who is older than `FORGET_MS` is given up. */
  review(nowMs: number, tiredMs: number): void {
    let settled = 0;
    let tired = 0;
    for (const { id, asked } of this.#order) {
      const isOpen = this.#asked[id] === asked;
      const age = nowMs - asked.sentMs;
      if (isOpen && age < tiredMs) break;
      if (isOpen && age < FORGET_MS) tired++;
      else if (isOpen) {
        this.take(id);
        this.forgotten++;
      }
      if (tired === 0) settled++;
    }
    this.#order.splice(0, settled);
    this.#tired = tired;
  }
}
