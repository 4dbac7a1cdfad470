/** How often one name was asked for: of the last half minute by second, and how many of its answers said it does not exist. */
import type { WireName } from '../wire.ts';
import { HISTORY_SECONDS } from './scope.ts';

export class NameCounts {
  readonly #seconds: number[] = [];
  #now = 0;
  #answers = 0;
  #nameErrors = 0;

  /** One that counts for `weight`. */
  count(rcode: string | undefined, weight = 1): void {
    this.#now += weight;
    if (rcode === undefined) return;
    this.#answers += weight;
    if (rcode === 'NXDOMAIN') this.#nameErrors += weight;
  }

  turn(): void {
    this.#seconds.push(this.#now);
    if (this.#seconds.length > HISTORY_SECONDS) this.#seconds.shift();
    this.#now = 0;
  }

  get isQuiet(): boolean {
    return this.#now === 0 && this.#seconds.every((count) => count === 0);
  }

  row(name: string): WireName {
    const total = this.#seconds.reduce((sum, count) => sum + count, 0);
    return {
      name,
      rate: Number((total / Math.max(1, this.#seconds.length)).toPrecision(3)),
      nameErrorShare: this.#answers === 0 ? 0 : this.#nameErrors / this.#answers,
      history: [...this.#seconds],
    };
  }
}
