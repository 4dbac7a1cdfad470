/** Test support: a shelf in plain memory, without anybody to share it with. */
import {
  indexBytes,
  LARGE_SLOT_BYTES,
  type ShelfMemory,
  type ShelfSize,
  SMALL_SLOT_BYTES,
  shelfOver,
} from '../shelf-memory.ts';

export function plainShelf(size: Partial<ShelfSize> = {}): ShelfMemory {
  const whole = { sets: 64, smallSlots: 128, largeSlots: 16, ...size };
  const buffers = {
    index: new ArrayBuffer(indexBytes(whole)),
    small: new ArrayBuffer(whole.smallSlots * SMALL_SLOT_BYTES),
    large: new ArrayBuffer(whole.largeSlots * LARGE_SLOT_BYTES),
  };
  return shelfOver(buffers, whole, () => undefined);
}
