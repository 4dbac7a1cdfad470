/**
 * A shelf as the agent sees it: memory that a cache writes and programs read at the same time, mapped for reading alone.
 * Nothing in it is believed: numbers are bounded by what the datapath says of the shelf, and whatever is copied out counts only
 * if the place still leads there afterwards. Once `close` has been called nothing here may be used any more.
 */
import {
  ANSWER_SET_SIZE,
  ANSWER_SLOT_AT,
  ANSWER_SLOT_SIZE,
  LARGE_NAME_BYTES,
  PLACE_GENERATION_SHIFT,
  PLACE_LARGE_BIT,
  PLACE_TAG_SHIFT,
  SMALL_NAME_BYTES,
} from '../../answermap/answer-abi.gen.ts';
import { indexBytes, LARGE_SLOT_BYTES, SMALL_SLOT_BYTES } from '../../answermap/shelf-memory.ts';
import type { AnswerShelf } from '../../datapath/datapath.ts';
import { checkCall } from '../../sys/errors.ts';
import { type Mapping, openLibc, PROT_READ } from '../../sys/libc.ts';
import { pageSize } from '../../sys/page-size.ts';

/** The rest of a slot, its tail, is nobody's business but the programs'. */
const SMALL_COPY_BYTES = ANSWER_SLOT_SIZE + SMALL_NAME_BYTES;
const LARGE_COPY_BYTES = ANSWER_SLOT_SIZE + LARGE_NAME_BYTES;
const SLOT_MASK = 2 ** PLACE_LARGE_BIT - 1;
const GENERATION_MASK = 2 ** (PLACE_TAG_SHIFT - PLACE_GENERATION_SHIFT) - 1;

/**
 * Places in use, by the size of their slots. What has expired and not been taken out yet counts: it takes room, though no query
 * gets it.
 */
export interface ShelfUse {
  readonly small: number;
  readonly large: number;
}

export interface SlotCopy {
  readonly isLarge: boolean;
  /** Counters and name behind the slot's own fields; a copy. */
  readonly view: DataView;
}

/** Of kernel memory, head and log included. */
export function shelfBytes(shelf: AnswerShelf): number {
  const { smallSlots, largeSlots, logBytes } = shelf;
  return indexBytes(shelf) + SMALL_SLOT_BYTES * smallSlots + LARGE_SLOT_BYTES * largeSlots + logBytes;
}

export class ShelfReader {
  readonly #shelf: AnswerShelf;
  readonly #mappings: Mapping[] = [];
  /** Two for each place, the low half first; without the head. */
  readonly #index: Int32Array<ArrayBuffer>;
  readonly #small: ArrayBuffer;
  readonly #large: ArrayBuffer;
  #isClosed = false;

  /** Throws SYS_CALL_FAILED. */
  constructor(shelf: AnswerShelf) {
    this.#shelf = shelf;
    const [index, small, large] = shelf.fds;
    const { sets, smallSlots, largeSlots } = shelf;
    try {
      const memory = this.#map(index, indexBytes(shelf));
      this.#index = new Int32Array(memory, ANSWER_SET_SIZE, (ANSWER_SET_SIZE / 4) * sets);
      this.#small = this.#map(small, SMALL_SLOT_BYTES * smallSlots);
      this.#large = this.#map(large, LARGE_SLOT_BYTES * largeSlots);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** As many as `copy` takes. */
  get places(): number {
    return this.#index.length / 2;
  }

  use(): ShelfUse {
    const index = this.#index;
    let all = 0;
    let large = 0;
    for (let i = 1; i < index.length; i += 2) {
      // The upper half has the generation, which is never 0.
      if (index[i] === 0) continue;
      all++;
      if ((index[i - 1] ?? 0) < 0) large++;
    }
    return { small: all - large, large };
  }

  /** Undefined when the place leads nowhere, or was changed meanwhile: then it is as good as empty. */
  copy(place: number): SlotCopy | undefined {
    const high = Atomics.load(this.#index, 2 * place + 1);
    if (high === 0) return undefined;
    const low = Atomics.load(this.#index, 2 * place);
    const isLarge = low < 0;
    const slot = low & SLOT_MASK;
    if (slot >= (isLarge ? this.#shelf.largeSlots : this.#shelf.smallSlots)) return undefined;
    const start = slot * (isLarge ? LARGE_SLOT_BYTES : SMALL_SLOT_BYTES);
    const end = start + (isLarge ? LARGE_COPY_BYTES : SMALL_COPY_BYTES);
    const memory = isLarge ? this.#large : this.#small;
    const generation = new Int32Array(memory, start + ANSWER_SLOT_AT.generation, 1);
    const expected = high & GENERATION_MASK;
    if (Atomics.load(generation, 0) !== expected) return undefined;
    const bytes = new Uint8Array(memory, start, end - start).slice();
    const isSame =
      Atomics.load(generation, 0) === expected &&
      Atomics.load(this.#index, 2 * place) === low &&
      Atomics.load(this.#index, 2 * place + 1) === high;
    return isSame ? { isLarge, view: new DataView(bytes.buffer) } : undefined;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const mapping of this.#mappings) mapping.unmap();
  }

  #map(fd: number, bytes: number): ArrayBuffer {
    const page = pageSize();
    const result = openLibc().mmap(fd, Math.ceil(bytes / page) * page, PROT_READ, 0);
    if (typeof result === 'number') {
      checkCall('map a shelf', result);
      throw new Error('mmap returned neither memory nor an error');
    }
    this.#mappings.push(result);
    return result.memory;
  }
}
