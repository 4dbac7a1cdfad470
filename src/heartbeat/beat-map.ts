/**
 * The map of beats as this process sees it: shared memory with the kernel's programs, which read it for every packet.
 * A row belongs to one process, a word of it to one thread, which alone writes there. Once `close` has been called no
 * thread may touch a row any more: that is a crash, not an exception.
 */
import { checkCall } from '../sys/errors.ts';
import { type Mapping, openLibc, PROT_READ, PROT_WRITE } from '../sys/libc.ts';
import { pageSize } from '../sys/page-size.ts';
import type { Seated } from './messages.ts';

const WORD_BYTES = 8;
/** Long past, and not 0, which would say that the thread does not exist. */
const NEVER_AGAIN = 1n;

export class BeatMap {
  readonly #mapping: Mapping;
  readonly #beatBytes: number;
  #isClosed = false;

  /** The descriptor may be closed afterwards. Throws SYS_CALL_FAILED. */
  constructor(fd: number, { seats, beatBytes }: Pick<Seated, 'seats' | 'beatBytes'>) {
    const page = pageSize();
    const length = Math.ceil((seats * beatBytes) / page) * page;
    const result = openLibc().mmap(fd, length, PROT_READ | PROT_WRITE, 0);
    if (typeof result === 'number') {
      checkCall('map the beats', result);
      throw new Error('mmap returned neither memory nor an error');
    }
    this.#mapping = result;
    this.#beatBytes = beatBytes;
  }

  row(seat: number): BeatRow {
    const at = seat * this.#beatBytes;
    const words = new BigUint64Array(this.#mapping.memory, at, this.#beatBytes / WORD_BYTES);
    return new BeatRow(words, this.#mapping.address + BigInt(at));
  }

  close(): void {
    if (!this.#isClosed) this.#mapping.unmap();
    this.#isClosed = true;
  }
}

/** The beats of one process. Word 0 is the main thread's, the others' those of its packet threads, in their order. */
export class BeatRow {
  readonly #words: BigUint64Array;
  readonly #address: bigint;

  constructor(words: BigUint64Array, address: bigint) {
    this.#words = words;
    this.#address = address;
  }

  /** How many packet threads can beat. More of them are watched by the main thread's beat alone. */
  get threads(): number {
    return this.#words.length - 1;
  }

  /** For a process that gets the seat: what another one left. */
  clear(): void {
    for (let i = 0; i < this.#words.length; i++) Atomics.store(this.#words, i, 0n);
  }

  beat(nowNs: bigint): void {
    Atomics.store(this.#words, 0, nowNs);
  }

  /** The next packet finds this process dead, whatever its other threads write. */
  retire(): void {
    Atomics.store(this.#words, 0, NEVER_AGAIN);
  }

  /** Where the packet thread with this number, from 0, beats; undefined when there is no word left. */
  addressOf(thread: number): bigint | undefined {
    return thread < this.threads ? this.#address + BigInt((thread + 1) * WORD_BYTES) : undefined;
  }

  /** Nanoseconds since the last beat of each thread that beats, the main thread's first. */
  ages(nowNs: bigint): readonly number[] {
    const beats = [...this.#words.keys()].map((i) => Atomics.load(this.#words, i));
    return beats.filter((at) => at !== 0n).map((at) => Number(nowNs - at));
  }
}
