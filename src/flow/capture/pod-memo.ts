/**
 * Whether an address is a pod's, remembered by its four words: asking costs a string and some maps, and the same few
 * addresses come again and again. A table of fixed size; who comes later takes the place. Forgotten whole when anything that
 * the answers came from may have changed.
 */
import { type Ip, ipFromBytes } from '../../net/ip.ts';

const PLACES = 4096;

export class PodMemo {
  readonly #words = new Int32Array(PLACES * 4);
  readonly #epochs = new Float64Array(PLACES).fill(-1);
  readonly #answers = new Uint8Array(PLACES);
  readonly #ask: (address: Ip) => boolean;
  readonly #epoch: () => number;
  readonly #scratch = new Int32Array(4);
  readonly #scratchBytes = new Uint8Array(this.#scratch.buffer);

  /** `epoch`: a number that changes when an answer may; 0 or more. */
  constructor(ask: (address: Ip) => boolean, epoch: () => number) {
    this.#ask = ask;
    this.#epoch = epoch;
  }

  /** Of the address in the four words from `at`. */
  isPod(words: Int32Array, at: number, hash: number): boolean {
    const place = hash & (PLACES - 1);
    const epoch = this.#epoch();
    const own = this.#words;
    let known = this.#epochs[place] === epoch;
    for (let i = 0; i < 4; i++) if (own[place * 4 + i] !== words[at + i]) known = false;
    if (known) return this.#answers[place] === 1;
    for (let i = 0; i < 4; i++) {
      own[place * 4 + i] = words[at + i] ?? 0;
      this.#scratch[i] = words[at + i] ?? 0;
    }
    const answer = this.#ask(ipFromBytes(this.#scratchBytes));
    this.#epochs[place] = epoch;
    this.#answers[place] = answer ? 1 : 0;
    return answer;
  }
}
