/** The shared memory as the views that its writer and its readers work on. */
import { type Geometry, geometry, geometryOf, HEAD, MIN_LEVEL } from './layout.ts';

export interface Memory {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly doubles: Float64Array;
  readonly geometry: Geometry;
  readonly seed: number;
  readonly multiplier: number;
}

/** `random` is uniform in [0, 1): who knows its numbers can choose names that crowd each other out. */
export function createMemory(budgetBytes: number, random: () => number): Memory {
  const shape = geometryOf(budgetBytes);
  const buffer = new SharedArrayBuffer(4 * shape.totalWords);
  const words = new Int32Array(buffer);
  words[HEAD.CHUNKS] = shape.chunks;
  words[HEAD.REF_BITS] = shape.refBits;
  words[HEAD.MAX_LEVEL] = shape.maxLevel;
  words[HEAD.SEED] = random() * 0x1_0000_0000;
  // Odd, so that no bit of a name is lost by multiplying.
  words[HEAD.MULTIPLIER] = (random() * 0x1_0000_0000) | 1;
  words[HEAD.EPOCH] = 1;
  words[HEAD.LEVEL] = MIN_LEVEL;
  return openMemory(buffer);
}

export function openMemory(buffer: SharedArrayBuffer): Memory {
  const words = new Int32Array(buffer);
  return {
    buffer,
    words,
    bytes: new Uint8Array(buffer),
    doubles: new Float64Array(buffer),
    geometry: geometry(words[HEAD.CHUNKS] ?? 0, words[HEAD.MAX_LEVEL] ?? 0),
    seed: words[HEAD.SEED] ?? 0,
    multiplier: words[HEAD.MULTIPLIER] ?? 0,
  };
}
