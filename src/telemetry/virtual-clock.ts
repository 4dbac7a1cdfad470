/**
 * A clock whose hands tests turn. Timers run in the order they fall due, within `pass`, and see the time they were set
 * for; those they set themselves run in the same call if they fall due in it.
 */
import type { Clock, Timer } from './clock.ts';

interface Alarm {
  readonly dueMs: number;
  readonly run: () => void;
}

/** 2026-01-01T00:00:00Z: signatures in tests are dated around it. */
const EPOCH_MS = 1_767_225_600_000;

export class VirtualClock implements Clock {
  #elapsedMs = 0;
  readonly #alarms = new Set<Alarm>();
  #started = 0;

  nowMs(): number {
    return EPOCH_MS + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, run: () => void): Timer {
    this.#started++;
    const alarm: Alarm = { dueMs: this.#elapsedMs + Math.max(0, delayMs), run };
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  /** Timers that have neither run nor been cancelled. */
  get pending(): number {
    return this.#alarms.size;
  }

  /** Timers set since the beginning: tests wait for it to see that code behind a socket has come to a point. */
  get started(): number {
    return this.#started;
  }

  pass(ms: number): void {
    const untilMs = this.#elapsedMs + ms;
    for (let next = this.#firstDue(untilMs); next !== undefined; next = this.#firstDue(untilMs)) {
      this.#alarms.delete(next);
      this.#elapsedMs = next.dueMs;
      next.run();
    }
    this.#elapsedMs = untilMs;
  }

  #firstDue(untilMs: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.dueMs <= untilMs && (first === undefined || alarm.dueMs < first.dueMs)) first = alarm;
    }
    return first;
  }
}
