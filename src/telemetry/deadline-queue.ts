/**
 * One timer for all questions that wait equally long. Their deadlines fall due in the order they were set, so the first
 * of a list is the next; a question that is answered leaves the list, and the timer that was set for it finds the next
 * one when it rings. A timer of its own for each query would cost more than all else that is done for it here.
 */
import type { Clock } from './clock.ts';

export interface Deadline {
  readonly dueMs: number;
  readonly expire: () => void;
}

interface Link extends Deadline {
  before: Link | undefined;
  after: Link | undefined;
}

export class DeadlineQueue {
  readonly #clock: Clock;
  readonly delayMs: number;
  #first: Link | undefined;
  #last: Link | undefined;
  #isArmed = false;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.delayMs = delayMs;
  }

  /** `expire` is called once, `delayMs` from now, unless the deadline is removed before. */
  add(expire: () => void): Deadline {
    const dueMs = this.#clock.monotonicMs() + this.delayMs;
    const link: Link = { dueMs, expire, before: this.#last, after: undefined };
    if (this.#last === undefined) this.#first = link;
    else this.#last.after = link;
    this.#last = link;
    if (!this.#isArmed) this.#arm(this.delayMs);
    return link;
  }

  /** Harmless when it has expired or was removed already. */
  remove(deadline: Deadline): void {
    const link = deadline as Link;
    if (link.before === undefined && this.#first !== link) return;
    if (link.before === undefined) this.#first = link.after;
    else link.before.after = link.after;
    if (link.after === undefined) this.#last = link.before;
    else link.after.before = link.before;
    link.before = undefined;
    link.after = undefined;
  }

  #arm(delayMs: number): void {
    this.#isArmed = true;
    this.#clock.after(delayMs, () => this.#ring());
  }

  #ring(): void {
    this.#isArmed = false;
    const nowMs = this.#clock.monotonicMs();
    while (this.#first !== undefined && this.#first.dueMs <= nowMs) {
      const link = this.#first;
      this.remove(link);
      link.expire();
    }
    if (this.#first !== undefined && !this.#isArmed) this.#arm(this.#first.dueMs - nowMs);
  }
}
