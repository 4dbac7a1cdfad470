/** Shelves without a kernel: numbers and sizes that outlive a fake datapath, and no memory behind them. */
import type { AnswerShelf } from '../datapath.ts';
import type { ShelfStore } from './shelf-store.ts';

const NO_FDS = [-1, -1, -1, -1] as const;

/** `shelves` is what survives. */
export function memoryShelfStore(shelves: Map<number, AnswerShelf>): ShelfStore {
  return {
    found: () => [...shelves.keys()].sort((a, b) => a - b),
    open: (number) => shelves.get(number),
    create(number, sizes) {
      const shelf = { number, fds: NO_FDS, ...sizes };
      shelves.set(number, shelf);
      return shelf;
    },
    discard: (number) => void shelves.delete(number),
    release: () => undefined,
  };
}
