/** For tests: a clock whose hands the test turns. */
import type { Clock } from '../../telemetry/clock.ts';

export class HandClock implements Clock {
  #nowMs = 0;
  readonly #due = new Set<{ atMs: number; run: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const entry = { atMs: this.#nowMs + delayMs, run };
    this.#due.add(entry);
    return { cancel: () => void this.#due.delete(entry) };
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#due.size;
  }

  /** Runs what falls due on the way, in order, also what is set meanwhile. */
  turn(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      const [next] = [...this.#due].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#due.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    this.#nowMs = endMs;
  }
}
