/**
 * Where answers are kept, and who has to go when room runs out. The interface is small on purpose: a store that lives in
 * memory shared with packet threads can take this one's place. Keys are compared whole, so two names never share an
 * entry. Deliberately absent: time. Whether an entry is still good is the caller's judgement.
 */
export interface AnswerStore<V> {
  /** Counts as a use of the entry. */
  lookup(key: string): V | undefined;
  /** Replaces what stood under the key. `bytes` is the entry's share of the budget. Returns how many others had to go. */
  insert(key: string, value: V, bytes: number): number;
  remove(key: string): void;
  readonly size: number;
}

export interface StoreLimits {
  readonly entries: number;
  /** Sum of the `bytes` of all entries. A single entry above it is not kept. */
  readonly bytes: number;
}

interface Slot<V> {
  readonly key: string;
  value: V;
  bytes: number;
  visited: boolean;
  /** Towards the newest. */
  newer: Slot<V> | undefined;
  older: Slot<V> | undefined;
}

/**
 * SIEVE (Zhang and others, NSDI 2024): entries stand in order of arrival; a hand walks from old to new, spares those used
 * since it last passed, and takes out the first that was not. One flood of names asked once cannot drive out the names
 * that are asked all the time, and a use costs one assignment.
 */
export class SieveStore<V> implements AnswerStore<V> {
  readonly #limits: StoreLimits;
  readonly #slots = new Map<string, Slot<V>>();
  #newest: Slot<V> | undefined;
  #oldest: Slot<V> | undefined;
  #hand: Slot<V> | undefined;
  #bytes = 0;

  constructor(limits: StoreLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#slots.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  lookup(key: string): V | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    slot.visited = true;
    return slot.value;
  }

  insert(key: string, value: V, bytes: number): number {
    this.remove(key);
    if (bytes > this.#limits.bytes) return 0;
    const evicted = this.#makeRoom(bytes);
    const slot: Slot<V> = { key, value, bytes, visited: false, newer: undefined, older: this.#newest };
    if (this.#newest !== undefined) this.#newest.newer = slot;
    this.#newest = slot;
    this.#oldest ??= slot;
    this.#slots.set(key, slot);
    this.#bytes += bytes;
    return evicted;
  }

  remove(key: string): void {
    const slot = this.#slots.get(key);
    if (slot !== undefined) this.#unlink(slot);
  }

  #makeRoom(bytes: number): number {
    const { entries, bytes: budget } = this.#limits;
    let evicted = 0;
    while (this.#slots.size >= entries || this.#bytes + bytes > budget) {
      const victim = this.#sift();
      if (victim === undefined) break;
      this.#unlink(victim);
      evicted++;
    }
    return evicted;
  }

  /** Ends after two rounds at most: the first clears every mark. */
  #sift(): Slot<V> | undefined {
    let slot = this.#hand ?? this.#oldest;
    while (slot?.visited) {
      slot.visited = false;
      slot = slot.newer ?? this.#oldest;
    }
    this.#hand = slot;
    return slot;
  }

  #unlink(slot: Slot<V>): void {
    if (this.#hand === slot) this.#hand = slot.newer;
    if (slot.newer === undefined) this.#newest = slot.older;
    else slot.newer.older = slot.older;
    if (slot.older === undefined) this.#oldest = slot.newer;
    else slot.older.newer = slot.newer;
    this.#slots.delete(slot.key);
    this.#bytes -= slot.bytes;
  }
}
