/**
 * A bounded queue of byte records in shared memory with one writing thread and one reading thread. A record is whole or
 * not there: the writer publishes it by moving the head when all is written, and a writer that dies in between leaves
 * nothing behind. Records never wrap: one that does not fit before the end starts over at the beginning. When the ring
 * is full the writer is told so at once; nobody waits for anybody.
 */

/** Of the words in front of the bytes. Head and tail count bytes for ever, modulo 2^32, and lie on lines of their own. */
const HEAD = 0;
const TAIL = 16;
const ASLEEP = 32;
const CONTROL_WORDS = 48;
const LENGTH_BYTES = 4;
/** As a length: the rest of the memory up to its end is not used. */
const SKIP = -1;

/** `capacity` is a power of two. */
export function ringMemory(capacity: number): SharedArrayBuffer {
  if (capacity < 64 || (capacity & (capacity - 1)) !== 0) throw new Error(`Not a ring size: ${capacity}`);
  return new SharedArrayBuffer(CONTROL_WORDS * 4 + capacity);
}

/** What both ends see of the same memory. */
class RingEnd {
  readonly bytes: Uint8Array;
  /** Of the same bytes. */
  readonly view: DataView;
  protected readonly control: Int32Array;
  protected readonly words: Int32Array;
  protected readonly capacity: number;

  constructor(memory: SharedArrayBuffer) {
    this.control = new Int32Array(memory, 0, CONTROL_WORDS);
    this.bytes = new Uint8Array(memory, CONTROL_WORDS * 4);
    this.view = new DataView(memory, CONTROL_WORDS * 4);
    this.words = new Int32Array(memory, CONTROL_WORDS * 4);
    this.capacity = this.bytes.length;
  }
}

export class RingWriter extends RingEnd {
  /** Where the reserved record's bytes start, and how far the head moves when it is published. */
  #at = 0;
  #skip = 0;

  /**
   * Offset into `bytes` (a multiple of 4) where up to `length` bytes may be written, until the next call; -1 when there
   * is no room.
   */
  reserve(length: number): number {
    const size = recordSize(length);
    const head = Atomics.load(this.control, HEAD) >>> 0;
    const free = this.capacity - ((head - Atomics.load(this.control, TAIL)) >>> 0);
    const at = head & (this.capacity - 1);
    const beforeEnd = this.capacity - at;
    this.#skip = size <= beforeEnd ? 0 : beforeEnd;
    if (size + this.#skip > free) return -1;
    this.#at = this.#skip === 0 ? at : 0;
    return this.#at + LENGTH_BYTES;
  }

  /** The first `length` bytes of what was reserved are a record. Returns whether the reader has to be woken. */
  publish(length: number): boolean {
    const head = Atomics.load(this.control, HEAD);
    if (this.#skip !== 0) this.words[(head & (this.capacity - 1)) >> 2] = SKIP;
    this.words[this.#at >> 2] = length;
    Atomics.store(this.control, HEAD, (head + this.#skip + recordSize(length)) | 0);
    return Atomics.load(this.control, ASLEEP) === 1 && Atomics.exchange(this.control, ASLEEP, 0) === 1;
  }
}

export class RingReader extends RingEnd {
  /** Of the record `next` found. */
  length = 0;
  #after = 0;

  /** Offset of the next record's bytes, valid until `release`; -1 when there is none. */
  next(): number {
    let tail = Atomics.load(this.control, TAIL);
    if (tail === Atomics.load(this.control, HEAD)) return -1;
    let at = tail & (this.capacity - 1);
    if (this.words[at >> 2] === SKIP) {
      tail = (tail + this.capacity - at) | 0;
      at = 0;
    }
    this.length = this.words[at >> 2] ?? 0;
    this.#after = (tail + recordSize(this.length)) | 0;
    return at + LENGTH_BYTES;
  }

  /** Gives the room of the record back. */
  release(): void {
    Atomics.store(this.control, TAIL, this.#after);
  }

  /** From now on the writer says when something comes. False when something has come already. */
  sleep(): boolean {
    Atomics.store(this.control, ASLEEP, 1);
    if (Atomics.load(this.control, TAIL) === Atomics.load(this.control, HEAD)) return true;
    Atomics.store(this.control, ASLEEP, 0);
    return false;
  }
}

function recordSize(length: number): number {
  return LENGTH_BYTES + ((length + 3) & ~3);
}
