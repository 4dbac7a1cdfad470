/** The one answer cache of a process: its memory, its partitions, the seats of its readers and their routes. */
import type {
  AnswerCache,
  CacheMirror,
  EntrySource,
  Partition,
  PartitionSpec,
  Route,
  RouteSpec,
  Seat,
} from './contract.ts';
import { SharedEntries } from './entry-source.ts';
import { HEAD, MAX_SEATS, SEAT_WORDS } from './layout.ts';
import { createMemory } from './memory.ts';
import { WirePartition } from './partition.ts';
import { RouteTable } from './route-table.ts';
import { Vault } from './vault.ts';

export interface AnswerCacheOptions {
  /** 1 MiB to 2 GiB. Memory is touched, and so taken from the system, only as entries come. */
  readonly budgetBytes: number;
  /** Uniform in [0, 1), and not to be foreseen by clients. */
  readonly random: () => number;
}

const MAX_PARTITION = 0xffff;

/** To be called in the thread that writes. */
export function createAnswerCache(options: AnswerCacheOptions): AnswerCache {
  return new SharedAnswerCache(options);
}

class SharedAnswerCache implements AnswerCache {
  readonly budgetBytes: number;
  readonly #vault: Vault;
  readonly #partitions = new Map<number, WirePartition>();
  readonly #seats = new Set<number>();
  readonly #routes: RouteTable;
  #lastId = 0;

  constructor({ budgetBytes, random }: AnswerCacheOptions) {
    this.budgetBytes = budgetBytes;
    this.#vault = new Vault(createMemory(budgetBytes, random));
    this.#routes = new RouteTable(this.#vault.memory, (id) => this.#partitions.get(id)?.spec);
  }

  get shared(): SharedArrayBuffer {
    return this.#vault.memory.buffer;
  }

  get usedBytes(): number {
    return this.#vault.usedBytes;
  }

  open(spec: PartitionSpec): Partition {
    const id = this.#freeId();
    const partition = new WirePartition(this.#vault, spec, {
      id,
      onClosed: () => void this.#partitions.delete(id),
    });
    this.#partitions.set(id, partition);
    return partition;
  }

  openSeat(): Seat | undefined {
    const number = Array.from({ length: MAX_SEATS }, (_, i) => i).find((seat) => !this.#seats.has(seat));
    if (number === undefined) return undefined;
    this.#seats.add(number);
    this.#vault.watchSeats(Math.max(...this.#seats) + 1);
    const { words, geometry } = this.#vault.memory;
    words[HEAD.SEATS] = Math.max(words[HEAD.SEATS] ?? 0, number + 1);
    return {
      number,
      close: () => {
        if (this.#seats.delete(number)) Atomics.store(words, geometry.seats + number * SEAT_WORDS, 0);
      },
    };
  }

  replaceRoutes(listeners: readonly (readonly RouteSpec[])[]): readonly (readonly Route[])[] {
    return this.#routes.replace(listeners);
  }

  mirror(mirror: CacheMirror | undefined): EntrySource {
    this.#vault.mirror = mirror;
    const { memory, index } = this.#vault;
    return new SharedEntries(memory, index, (id) => this.#partitions.get(id)?.spec);
  }

  /** In turn, so that a number is used again only when no reader can have a route to its last bearer. */
  #freeId(): number {
    for (let tries = 0; tries < MAX_PARTITION; tries++) {
      this.#lastId = (this.#lastId % MAX_PARTITION) + 1;
      if (!this.#partitions.has(this.#lastId)) return this.#lastId;
    }
    throw new Error('Cannot open a partition: all numbers are taken');
  }
}
