/**
 * A shelf of the answer map as this process sees it: three pieces of memory that it shares with the kernel's programs,
 * which read them for every query. Nobody else writes there but the programs, and they only count. Once `close` has been
 * called the memory may not be touched any more: that is a crash, not an exception.
 */
import { randomBytes } from 'node:crypto';
import { AppError } from '../fault/app-error.ts';
import { checkCall } from '../sys/errors.ts';
import { type Mapping, openLibc, PROT_READ, PROT_WRITE } from '../sys/libc.ts';
import { pageSize } from '../sys/page-size.ts';
import {
  ANSWER_HEAD_AT,
  ANSWER_HEAD_SIZE,
  ANSWER_LAYOUT,
  ANSWER_SET_SIZE,
  ANSWER_SLOT_SIZE,
  LARGE_NAME_BYTES,
  LARGE_TAIL_BYTES,
  SMALL_NAME_BYTES,
  SMALL_TAIL_BYTES,
} from './answer-abi.gen.ts';
import { ANSWERMAP_ERRORS } from './errors.ts';

export const SMALL_SLOT_BYTES = ANSWER_SLOT_SIZE + SMALL_NAME_BYTES + SMALL_TAIL_BYTES;
export const LARGE_SLOT_BYTES = ANSWER_SLOT_SIZE + LARGE_NAME_BYTES + LARGE_TAIL_BYTES;

/** How large a shelf is. */
export interface ShelfSize {
  /** A power of two. */
  readonly sets: number;
  readonly smallSlots: number;
  readonly largeSlots: number;
}

export interface ShelfMemory extends ShelfSize {
  /** Of the hash of keys. */
  readonly seed: number;
  readonly multiplier: number;
  /** The places, eight to a set, without the head. */
  readonly places: BigUint64Array<ArrayBuffer>;
  readonly small: Uint8Array<ArrayBuffer>;
  readonly large: Uint8Array<ArrayBuffer>;
  /** Unmaps. Whoever fills the shelf must have let go of it. */
  close(): void;
}

/**
 * Maps index, small and large slots; the descriptors may be closed afterwards. Throws SYS_CALL_FAILED, and
 * ANSWERMAP_LAYOUT when the memory is not laid out as this program would.
 */
export function mapShelf(fds: readonly [number, number, number], size: ShelfSize): ShelfMemory {
  const mappings: Mapping[] = [];
  const close = () => {
    for (const mapping of mappings.splice(0)) mapping.unmap();
  };
  const map = (fd: number, bytes: number): ArrayBuffer => {
    const page = pageSize();
    const result = openLibc().mmap(fd, Math.ceil(bytes / page) * page, PROT_READ | PROT_WRITE, 0);
    if (typeof result === 'number') {
      checkCall('map the answers', result);
      throw new Error('mmap returned neither memory nor an error');
    }
    mappings.push(result);
    return result.memory;
  };
  try {
    const [index, small, large] = fds;
    const buffers = {
      index: map(index, indexBytes(size)),
      small: map(small, Math.max(1, size.smallSlots) * SMALL_SLOT_BYTES),
      large: map(large, Math.max(1, size.largeSlots) * LARGE_SLOT_BYTES),
    };
    return shelfOver(buffers, size, close);
  } catch (error) {
    close();
    throw error;
  }
}

export function indexBytes({ sets }: Pick<ShelfSize, 'sets'>): number {
  return ANSWER_HEAD_SIZE + sets * ANSWER_SET_SIZE;
}

/** Over memory that is large enough. Fills in the head when nobody did; throws ANSWERMAP_LAYOUT when it is another one. */
export function shelfOver(
  { index, small, large }: { index: ArrayBuffer; small: ArrayBuffer; large: ArrayBuffer },
  size: ShelfSize,
  close: () => void,
): ShelfMemory {
  const { sets, smallSlots, largeSlots } = size;
  const head = new Uint32Array(index, 0, ANSWER_HEAD_SIZE / 4);
  const layout = Atomics.load(head, ANSWER_HEAD_AT.layout / 4);
  if (layout === 0) writeHead(head, sets);
  else if (layout !== ANSWER_LAYOUT || head[ANSWER_HEAD_AT.setMask / 4] !== sets - 1) {
    throw new AppError(
      'ANSWERMAP_LAYOUT',
      `Cannot use the answer map: its layout is not ${ANSWER_LAYOUT} with ${sets} sets: received ${layout}`,
      { hint: ANSWERMAP_ERRORS.ANSWERMAP_LAYOUT.cure },
    );
  }
  return {
    sets,
    smallSlots,
    largeSlots,
    seed: head[ANSWER_HEAD_AT.seed / 4] ?? 0,
    multiplier: head[ANSWER_HEAD_AT.multiplier / 4] ?? 0,
    places: new BigUint64Array(index, ANSWER_HEAD_SIZE, (sets * ANSWER_SET_SIZE) / 8),
    small: new Uint8Array(small, 0, smallSlots * SMALL_SLOT_BYTES),
    large: new Uint8Array(large, 0, largeSlots * LARGE_SLOT_BYTES),
    close,
  };
}

/** Clients that knew the numbers could choose names that crowd each other out of a set. */
function writeHead(head: Uint32Array, sets: number): void {
  const random = randomBytes(8);
  head[ANSWER_HEAD_AT.seed / 4] = random.readUInt32LE(0);
  // Odd, so that no bit of a name is lost by multiplying.
  head[ANSWER_HEAD_AT.multiplier / 4] = random.readUInt32LE(4) | 1;
  head[ANSWER_HEAD_AT.setMask / 4] = sets - 1;
  Atomics.store(head, ANSWER_HEAD_AT.layout / 4, ANSWER_LAYOUT);
}
