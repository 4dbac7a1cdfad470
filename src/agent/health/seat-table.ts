/**
 * Who has which row of the map of beats. A seat belongs to a connection, is kept for its process while the agent is away
 * (the kernel's health rows tell which ones are), and is given to somebody else as late as possible, because a process
 * that was stopped for long may still beat where it once did.
 */

/** Of the map: nobody's, so that zero can mean none. */
const NOBODY = 0;

export class SeatTable {
  readonly #seats: number;
  readonly #taken = new Set<number>();
  readonly #reserved: () => readonly number[];
  #last: number;

  /** `seats` is how many rows the map has; `reserved` tells those that a process may come back for. */
  constructor(seats: number, reserved: () => readonly number[] = () => []) {
    this.#seats = seats;
    this.#reserved = reserved;
    this.#last = Math.max(NOBODY, ...reserved());
  }

  /** The proposed seat if it is nobody's, else another one; undefined when there is none. The caller gives it back. */
  take(proposed?: number): number | undefined {
    const seat = proposed !== undefined && this.#mayHave(proposed) ? proposed : this.#next();
    if (seat !== undefined) this.#taken.add(seat);
    return seat;
  }

  giveBack(seat: number): void {
    this.#taken.delete(seat);
  }

  #mayHave(seat: number): boolean {
    return seat > NOBODY && seat < this.#seats && !this.#taken.has(seat);
  }

  #next(): number | undefined {
    const reserved = this.#reserved();
    for (let step = 1; step < this.#seats; step++) {
      const seat = ((this.#last + step - 1) % (this.#seats - 1)) + 1;
      if (this.#taken.has(seat) || reserved.includes(seat)) continue;
      this.#last = seat;
      return seat;
    }
    return undefined;
  }
}
