/**
 * The consumer's end of a BPF ring buffer, read through shared memory without a system call (kernel documentation,
 * bpf/ringbuf), so that whoever was handed the descriptor may read it, without any capability. The data area is mapped
 * twice in a row by the kernel, so a record never wraps. Positions and headers are read with Atomics, because arm64 would
 * reorder plain loads.
 */
import { checkCall } from '../errors.ts';
import { type Mapping, openLibc, PROT_READ, PROT_WRITE } from '../libc.ts';
import { pageSize } from '../page-size.ts';

const HEADER_BYTES = 8;
/** The producer has reserved but not yet submitted this record. */
const BUSY_BIT = 0x80000000;
const DISCARD_BIT = 0x40000000;
const LENGTH_MASK = 0x3fffffff;
/** Some hundred records, and no more than stays in a processor's cache. */
const BATCH_BYTES = 128 * 1024;

/** Memory with records in it: the same bytes, seen both ways. */
export interface RecordMemory {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
}

/** A place for records, from byte `at`, a multiple of 8. */
export interface RecordRoom {
  readonly memory: RecordMemory;
  readonly at: number;
}

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
  readonly #ring: RecordMemory;
  readonly #batch: RecordRoom = { memory: memoryOf(new ArrayBuffer(BATCH_BYTES)), at: 0 };
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
    this.#ring = memoryOf(producer.memory, page, 2 * size);
  }

  /**
   * Hands out at most `limit` records, oldest first; returns how many. A record is only valid during the call. If
   * `take` throws, its record and some behind it count as taken. `room`: memory of the caller's to put so many bytes into;
   * absent, or nothing: the ring's own.
   */
  drain(take: TakeRecord, limit: number, room?: (bytes: number) => RecordRoom | undefined): number {
    return this.#drain(take, (taken) => this.#ready(limit - taken, Atomics.load(this.#produced, 0)), room);
  }

  /** Hands out what is there now, and nothing that comes meanwhile: it ends, however fast others write. */
  drainPresent(take: TakeRecord): number {
    if (this.#closed) return 0;
    const until = Atomics.load(this.#produced, 0);
    return this.#drain(take, () => this.#ready(Number.POSITIVE_INFINITY, until));
  }

  /** How full it is, in bytes. */
  get filled(): number {
    return this.#closed ? 0 : (Atomics.load(this.#produced, 0) - Atomics.load(this.#consumed, 0)) >>> 0;
  }

  /** `ready`: how many bytes to take next. */
  #drain(
    take: TakeRecord,
    ready: (taken: number) => number,
    room?: (bytes: number) => RecordRoom | undefined,
  ): number {
    let taken = 0;
    while (!this.#closed) {
      const bytes = ready(taken);
      if (bytes === 0) break;
      const { memory, at: start } = room?.(bytes) ?? this.#batch;
      this.#move(bytes, memory, start);
      for (let at = start; at < start + bytes; ) {
        const header = memory.words[at >> 2] ?? 0;
        const length = header & LENGTH_MASK;
        taken++;
        if ((header & DISCARD_BIT) === 0) take(memory, at + HEADER_BYTES, length);
        at += recordBytes(length);
      }
    }
    return taken;
  }

  /** Bytes of the oldest records before position `until` that are whole: as many as a batch has room for. */
  #ready(limit: number, until: number): number {
    const { words } = this.#ring;
    const start = Atomics.load(this.#consumed, 0) >>> 0;
    const from = start % this.#size;
    const left = (until - start) >>> 0;
    // Somebody has read on from within `take`.
    if (limit <= 0 || left > this.#size) return 0;
    const end = from + left;
    this.#fetch(from, Math.min(end, from + BATCH_BYTES));
    let at = from;
    for (let count = 0; at < end && count < limit; count++) {
      const header = Atomics.load(words, at >> 2);
      const next = at + recordBytes(header & LENGTH_MASK);
      if ((header & BUSY_BIT) !== 0 || next - from > BATCH_BYTES) break;
      at = next;
    }
    return at - from;
  }

  /**
   * Brings bytes near to this processor. Another one wrote them, and where one record ends is only known when its beginning
   * has come: so each would be waited for by itself, while a copy fetches them all at once. What it copies may be half written.
   */
  #fetch(from: number, to: number): void {
    this.#batch.memory.words.set(this.#ring.words.subarray(from >> 2, to >> 2));
  }

  /**
   * Copies the oldest bytes and gives their place back to the kernel. At once, because another processor wrote them: one long
   * copy waits for its memory once, where a reading here and there waits at each record.
   */
  #move(bytes: number, into: RecordMemory, at: number): void {
    const from = (Atomics.load(this.#consumed, 0) >>> 0) % this.#size;
    into.words.set(this.#ring.words.subarray(from >> 2, (from + bytes) >> 2), at >> 2);
    Atomics.store(this.#consumer, 0, Atomics.load(this.#consumer, 0) + BigInt(bytes));
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

function memoryOf(buffer: ArrayBuffer, at = 0, length = buffer.byteLength): RecordMemory {
  return { words: new Int32Array(buffer, at, length / 4), bytes: new Uint8Array(buffer, at, length) };
}

/** With its header, as the kernel rounds it. */
function recordBytes(length: number): number {
  return (length + HEADER_BYTES + 7) & ~7;
}

function map(fd: number, length: number, protection: number, offset: number): Mapping {
  const result = openLibc().mmap(fd, length, protection, offset);
  if (typeof result === 'number') {
    checkCall('map the event ring', result);
    throw new Error('mmap returned neither memory nor an error');
  }
  return result;
}
