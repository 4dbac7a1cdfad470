/** Descriptors to wait for together, as `poll` wants them: an array of `struct pollfd` (8 bytes each) that stays. */
import { openLibc } from './libc.ts';

const POLLIN = 1;
const EINTR = 4;

export class PollSet {
  readonly #libc = openLibc();
  readonly #fds: readonly number[];
  /** A word for the descriptor, a half each for what is waited for and what came. */
  readonly #words: Int32Array;
  readonly #address: number;

  constructor(fds: readonly number[]) {
    this.#fds = fds;
    this.#words = new Int32Array(Math.max(2, fds.length * 2));
    fds.forEach((fd, i) => {
      this.#words[2 * i] = fd;
      this.#words[2 * i + 1] = POLLIN;
    });
    this.#address = Number(this.#libc.address(new Uint8Array(this.#words.buffer)));
  }

  /** How many are ready; 0 when the time is up or a signal came. Negated errno otherwise. */
  wait(timeoutMs: number): number {
    const ready = this.#libc.poll(this.#address, this.#fds.length, timeoutMs);
    return ready === -EINTR ? 0 : ready;
  }

  /** Whether the descriptor at `i` has something to read, or an error to tell. */
  isReady(i: number): boolean {
    return (this.#words[2 * i + 1] ?? 0) >>> 16 !== 0;
  }
}
