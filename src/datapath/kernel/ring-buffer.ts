/**
 * The consumer's end of a BPF ring buffer, read through shared memory without a system call (kernel documentation,
 * bpf/ringbuf). The data area is mapped twice in a row by the kernel, so a record never wraps.
 * Positions and headers are read with Atomics, because arm64 would reorder plain loads.
 */
import { checkCall } from '../../sys/errors.ts';
import { type Mapping, openLibc, PROT_READ, PROT_WRITE } from '../../sys/libc.ts';
import { pageSize } from '../../sys/page-size.ts';
import type { RecordMemory } from '../packet-record.ts';

const HEADER_BYTES = 8;
/** The producer has reserved but not yet submitted this record. */
const BUSY_BIT = 0x80000000;
const DISCARD_BIT = 0x40000000;
const LENGTH_MASK = 0x3fffffff;

/** `length` bytes from byte `at` of the ring's memory. */
export type TakeRecord = (memory: RecordMemory, at: number, length: number) => void;

export class RingBuffer {
  readonly #size: number;
  readonly #mappings: readonly Mapping[];
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  /** The low halves: positions only grow, and a ring is smaller than 4 GiB. */
  readonly #consumed: Int32Array;
  readonly #produced: Int32Array;
  readonly #memory: RecordMemory;
  #closed = false;

  /** `size` is max_entries of the map, a power of two and of the page size. The descriptor may be closed afterwards. */
  constructor(fd: number, size: number) {
    const page = pageSize();
    const consumer = map(fd, page, PROT_READ | PROT_WRITE, 0);
    const producer = map(fd, page + 2 * size, PROT_READ, page);
    this.#size = size;
    this.#mappings = [consumer, producer];
    this.#consumer = new BigUint64Array(consumer.memory, 0, 1);
    this.#producer = new BigUint64Array(producer.memory, 0, 1);
    this.#consumed = new Int32Array(consumer.memory, 0, 1);
    this.#produced = new Int32Array(producer.memory, 0, 1);
    this.#memory = {
      words: new Int32Array(producer.memory, page, (2 * size) / 4),
      bytes: new Uint8Array(producer.memory, page, 2 * size),
    };
  }

  /**
   * Hands out at most `limit` records, oldest first; returns how many. A record is only valid during the call. If
   * `take` throws, its record counts as taken.
   */
  drain(take: TakeRecord, limit: number): number {
    if (this.#closed) return 0;
    const { words } = this.#memory;
    const start = Atomics.load(this.#consumed, 0);
    let position = start;
    let taken = 0;
    try {
      while (taken < limit && position !== Atomics.load(this.#produced, 0)) {
        const at = (position >>> 0) % this.#size;
        const header = Atomics.load(words, at >> 2);
        if ((header & BUSY_BIT) !== 0) break;
        const length = header & LENGTH_MASK;
        position = (position + ((length + HEADER_BYTES + 7) & ~7)) | 0;
        taken++;
        if ((header & DISCARD_BIT) === 0) take(this.#memory, at + HEADER_BYTES, length);
      }
    } finally {
      // Once for all of them: the kernel may write there again.
      const done = BigInt((position - start) >>> 0);
      if (done > 0n) Atomics.store(this.#consumer, 0, Atomics.load(this.#consumer, 0) + done);
    }
    return taken;
  }

  /** Forgets what is in it. */
  skipAll(): void {
    if (!this.#closed) Atomics.store(this.#consumer, 0, Atomics.load(this.#producer, 0));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const mapping of this.#mappings) mapping.unmap();
  }
}

function map(fd: number, length: number, protection: number, offset: number): Mapping {
  const result = openLibc().mmap(fd, length, protection, offset);
  if (typeof result === 'number') {
    checkCall('map the event ring', result);
    throw new Error('mmap returned neither memory nor an error');
  }
  return result;
}
