/**
 * How large a part of the flows is asked for: all of them while they are few, a part that is halved again and again when
 * they are many. Goes down at once and up again slowly, so that a rate at the limit does not swing the part to and fro.
 */

/** Flows a second. What they cost, in this process and at the source, is what a page may cost at any rate. */
const MOST_FLOWS = 3000;
const WANTED_FLOWS = 1500;
const MOST_ONE_IN = 512;
/** Seconds of quiet before more is asked for. */
const PATIENCE = 8;

export class SampleGovernor {
  #oneIn = 1;
  #count = 0;
  #quiet = 0;

  get oneIn(): number {
    return this.#oneIn;
  }

  count(flows: number): void {
    this.#count += flows;
  }

  /** Ends a second. True: another part is wanted from now on. */
  turn(): boolean {
    const count = this.#count;
    this.#count = 0;
    if (count > MOST_FLOWS && this.#oneIn < MOST_ONE_IN) {
      this.#quiet = 0;
      return this.#set(this.#oneIn * 2 ** Math.ceil(Math.log2(count / WANTED_FLOWS)));
    }
    this.#quiet = count * 2 < WANTED_FLOWS ? this.#quiet + 1 : 0;
    if (this.#oneIn === 1 || this.#quiet < PATIENCE) return false;
    this.#quiet = 0;
    return this.#set(this.#oneIn / 2);
  }

  #set(oneIn: number): boolean {
    this.#oneIn = Math.min(MOST_ONE_IN, oneIn);
    return true;
  }
}
