/** Where shelves are kept beyond the life of an agent: in the kernel, or, for tests of what is above it, in memory. */
import type { AnswerShelf } from '../datapath.ts';
import type { ShelfSizes } from './shelf-layout.ts';

export interface ShelfStore {
  /** Numbers of which anything at all is left. */
  found(): readonly number[];
  /** Undefined unless all of it is there, in its place, and laid out as this build lays it out. */
  open(number: number): AnswerShelf | undefined;
  /** With `head` in the index before anybody can find it. Throws an `AppError`; then parts of it may be left. */
  create(number: number, sizes: ShelfSizes, head: Uint8Array): AnswerShelf;
  /** Takes away whatever is left of that number. */
  discard(number: number): void;
  /** Lets go of the descriptors; the shelf stays. */
  release(shelf: AnswerShelf): void;
}
