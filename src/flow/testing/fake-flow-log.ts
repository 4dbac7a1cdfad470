/** Test support: a log of flows that holds what it is given, the newest `capacity` rows. */
import type { FlowLog, FlowRow } from '../flow-log.ts';

export class FakeFlowLog implements FlowLog {
  readonly #capacity: number;
  readonly #rows: FlowRow[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get next(): number {
    return this.#rows.length;
  }

  get oldest(): number {
    return Math.max(0, this.#rows.length - this.#capacity);
  }

  push(row: FlowRow): void {
    this.#rows.push(row);
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  row(sequence: number): FlowRow | undefined {
    return sequence < this.oldest ? undefined : this.#rows[sequence];
  }

  /** Its rows are no packets: nothing can be told without looking at them. */
  glance(): undefined {
    return undefined;
  }

  onNext(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }
}
