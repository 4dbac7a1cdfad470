/**
 * Who owns which chunk, on the writer's side. Chunks of an entry that was taken out wait until every reader has been
 * between two batches since: a reader may be copying from them, and on arm64 no look at the entry afterwards could tell
 * it that they changed meanwhile. The writer waits for nobody: what is not free yet is not given.
 */
import { CHUNK_WORDS, ENTRY, HEAD, SEAT_WORDS, SIDE, SIDE_WORDS } from './layout.ts';
import type { Memory } from './memory.ts';

export class ChunkPool {
  readonly #memory: Memory;
  /** Chunks up to here were used at some time: those behind are memory nobody has touched. */
  #touched = 0;
  #freeHead = 0;
  #free = 0;
  #waitingHead = 0;
  #waitingTail = 0;
  #waiting = 0;
  #seats = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Seats from this number on are empty. */
  watchSeats(count: number): void {
    this.#seats = count;
  }

  /** In entries or waiting. */
  get used(): number {
    return this.#touched - this.#free;
  }

  /** Free now or as soon as readers move on. */
  get obtainable(): number {
    return this.#memory.geometry.chunks - this.#touched + this.#free + this.#waiting;
  }

  /** A chain of `count` chunks, linked by their first words; 0 when there are not so many. */
  take(count: number): number {
    this.#collect();
    const { words, geometry } = this.#memory;
    if (this.#free + geometry.chunks - this.#touched < count) return 0;
    let head = 0;
    for (let i = 0; i < count; i++) {
      const chunk = this.#takeOne();
      words[geometry.data + chunk * CHUNK_WORDS + ENTRY.NEXT] = head;
      head = chunk;
    }
    words[geometry.side + head * SIDE_WORDS + SIDE.CHUNKS] = count;
    return head;
  }

  /** The entry must be out of every index by now. */
  giveBack(head: number): void {
    const { words, geometry } = this.#memory;
    const side = geometry.side + head * SIDE_WORDS;
    words[side + SIDE.OLDER] = 0;
    words[side + SIDE.NEWER] = Atomics.load(words, HEAD.EPOCH);
    if (this.#waitingTail === 0) this.#waitingHead = head;
    else words[geometry.side + this.#waitingTail * SIDE_WORDS + SIDE.OLDER] = head;
    this.#waitingTail = head;
    this.#waiting += words[side + SIDE.CHUNKS] ?? 0;
  }

  #takeOne(): number {
    if (this.#freeHead === 0) return ++this.#touched;
    const { words, geometry } = this.#memory;
    const chunk = this.#freeHead;
    this.#freeHead = words[geometry.data + chunk * CHUNK_WORDS + ENTRY.NEXT] ?? 0;
    this.#free--;
    return chunk;
  }

  /**
   * Frees what nobody reads any more. A reader that starts a batch notes the epoch first; the epoch grows after an entry
   * was taken out, so who noted a later one cannot have found that entry.
   */
  #collect(): void {
    if (this.#waitingHead === 0) return;
    const { words, geometry } = this.#memory;
    const epoch = Atomics.load(words, HEAD.EPOCH);
    // 0 is for readers between batches.
    const next = (epoch + 1) | 0;
    Atomics.store(words, HEAD.EPOCH, next === 0 ? 1 : next);
    const behind = this.#mostBehind(epoch);
    while (this.#waitingHead !== 0) {
      const head = this.#waitingHead;
      const side = geometry.side + head * SIDE_WORDS;
      const takenOut = words[side + SIDE.NEWER] ?? 0;
      if (((takenOut - behind) | 0) > 0) return;
      this.#waitingHead = words[side + SIDE.OLDER] ?? 0;
      if (this.#waitingHead === 0) this.#waitingTail = 0;
      this.#freeChain(head);
    }
  }

  /** The last epoch that no reader in a batch has noted or passed by: entries of it and before are nobody's. */
  #mostBehind(epoch: number): number {
    const { words, geometry } = this.#memory;
    let behind = 0;
    for (let seat = 0; seat < this.#seats; seat++) {
      const noted = Atomics.load(words, geometry.seats + seat * SEAT_WORDS);
      if (noted !== 0) behind = Math.min(behind, (noted - 1 - epoch) | 0);
    }
    return (epoch + behind) | 0;
  }

  #freeChain(head: number): void {
    const { words, geometry } = this.#memory;
    let chunk = head;
    while (chunk !== 0) {
      const at = geometry.data + chunk * CHUNK_WORDS + ENTRY.NEXT;
      const next = words[at] ?? 0;
      words[at] = this.#freeHead;
      this.#freeHead = chunk;
      this.#free++;
      this.#waiting--;
      chunk = next;
    }
  }
}
