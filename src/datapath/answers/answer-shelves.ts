/**
 * The shelves of this node: found at the start, made and taken away when the agent says so. A number is given out again as
 * late as can be, so that what still names a shelf that has gone finds nothing rather than somebody else's.
 * What is left of a shelf that is not whole is taken away at the start; where that fails, its number is not used.
 */
import { MAX_SHELVES } from '../../answermap/answer-abi.gen.ts';
import { AppError, errorText } from '../../fault/app-error.ts';
import type { Log } from '../../telemetry/log.ts';
import type { AnswerShelf } from '../datapath.ts';
import { DATAPATH_ERRORS } from '../errors.ts';
import { shelfHead, sizesFor } from './shelf-layout.ts';
import type { ShelfStore } from './shelf-store.ts';

export interface ShelfOptions {
  readonly store: ShelfStore;
  /** Of each new shelf. Absent: there are no shelves, and those of an earlier agent go. */
  readonly entries: number | undefined;
  readonly log: Pick<Log, 'warning'>;
  /** Of that many bytes, unforeseeable. */
  readonly randomBytes: (count: number) => Uint8Array;
}

export class AnswerShelves {
  readonly #options: ShelfOptions;
  readonly #open = new Map<number, AnswerShelf>();
  /** Something of them is left that would not go. */
  readonly #spoilt = new Set<number>();
  #last = 0;
  #closed = false;

  constructor(options: ShelfOptions) {
    this.#options = options;
    for (const number of options.store.found()) {
      const shelf = options.entries === undefined ? undefined : this.#inherit(number);
      if (shelf === undefined) this.#discard(number);
      else this.#open.set(number, shelf);
      this.#last = number;
    }
  }

  /** Undefined when there are to be none, all numbers are taken, or the kernel has no memory for another: that is logged. */
  open(): AnswerShelf | undefined {
    const { store, entries, randomBytes, log } = this.#options;
    const number = this.#freeNumber();
    if (this.#closed || entries === undefined || number === undefined) return undefined;
    const sizes = sizesFor(entries);
    this.#last = number;
    try {
      const shelf = store.create(number, sizes, shelfHead(sizes.sets, randomBytes(8)));
      this.#open.set(number, shelf);
      return shelf;
    } catch (error) {
      log.warning(`datapath: ${errorText(noShelf(entries, error))}`);
      this.#discard(number);
      return undefined;
    }
  }

  get(number: number): AnswerShelf | undefined {
    return this.#open.get(number);
  }

  has(number: number): boolean {
    return this.#open.has(number);
  }

  /** By number. */
  list(): readonly AnswerShelf[] {
    return [...this.#open.values()].sort((a, b) => a.number - b.number);
  }

  /** Nobody may be sent to it any more. */
  remove(number: number): void {
    const shelf = this.#open.get(number);
    if (shelf === undefined) return;
    this.#open.delete(number);
    this.#discard(number);
    this.#options.store.release(shelf);
  }

  /** Lets go of all descriptors; the shelves stay for the next agent. */
  close(): void {
    this.#closed = true;
    for (const shelf of this.#open.values()) this.#options.store.release(shelf);
    this.#open.clear();
  }

  #inherit(number: number): AnswerShelf | undefined {
    try {
      return this.#options.store.open(number);
    } catch (error) {
      this.#options.log.warning(`datapath: answers of shelf ${number}: ${errorText(error)}`);
      return undefined;
    }
  }

  #discard(number: number): void {
    try {
      this.#options.store.discard(number);
      this.#spoilt.delete(number);
    } catch (error) {
      this.#spoilt.add(number);
      this.#options.log.warning(`datapath: answers of shelf ${number}: ${errorText(error)}`);
    }
  }

  #freeNumber(): number | undefined {
    for (let step = 0; step < MAX_SHELVES - 1; step++) {
      const number = ((this.#last + step) % (MAX_SHELVES - 1)) + 1;
      if (!this.#open.has(number) && !this.#spoilt.has(number)) return number;
    }
    return undefined;
  }
}

function noShelf(entries: number, cause: unknown): AppError {
  const message = `Cannot make room for ${entries} answers in the kernel: ${errorText(cause)}`;
  return new AppError('DATAPATH_NO_SHELF', message, { cause, hint: DATAPATH_ERRORS.DATAPATH_NO_SHELF.cure });
}
