/** Protobuf's encoding (protobuf.dev, encoding) into one memory that is used again for each message. */

const FIRST_BYTES = 1 << 16;
/** A varint of 64 bits. */
const MOST_VARINT_BYTES = 10;
/** Below it a text costs less written here than by a call into the library of the platform. */
const SHORT_TEXT = 64;

export class WireWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = 0;

  /** What was written since the last time, as bytes of its own. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return taken;
  }

  /** Forgets what was begun. */
  reset(): void {
    this.#at = 0;
  }

  /** From 0 to 2^53 - 1. */
  varint(value: number): void {
    this.#reserve(MOST_VARINT_BYTES);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  /** Of 64 bits, as decimal text or number; a negative one as protobuf writes it, in ten bytes. */
  varint64(value: string | number): void {
    const number = Number(value);
    if (number >= 0 && number <= Number.MAX_SAFE_INTEGER) {
      this.varint(number);
      return;
    }
    this.#reserve(MOST_VARINT_BYTES);
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 127n) | 128;
    this.#bytes[this.#at++] = Number(rest);
  }

  text(value: string): void {
    if (value.length < SHORT_TEXT && this.#shortText(value)) return;
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#reserve(length);
    this.#at += this.#bytes.write(value, this.#at, 'utf8');
  }

  /** What `write` writes, with its length before it. */
  nested(write: () => void): void {
    this.#reserve(MOST_VARINT_BYTES);
    const lengthAt = this.#at++;
    write();
    const length = this.#at - lengthAt - 1;
    if (length < 128) {
      this.#bytes[lengthAt] = length;
      return;
    }
    // The length needs more than the one byte that was left for it.
    const more = length < 1 << 14 ? 2 : length < 1 << 21 ? 3 : 5;
    this.#reserve(more - 1);
    this.#bytes.copyWithin(lengthAt + more, lengthAt + 1, lengthAt + 1 + length);
    for (let i = 0, rest = length; i < more; i++, rest = Math.floor(rest / 128))
      this.#bytes[lengthAt + i] = (rest % 128) | (i < more - 1 ? 128 : 0);
    this.#at = lengthAt + more + length;
  }

  /** False, and nothing written, for what is not ASCII alone. */
  #shortText(value: string): boolean {
    this.#reserve(SHORT_TEXT + 1);
    const start = this.#at;
    this.#bytes[this.#at++] = value.length;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 127) {
        this.#at = start;
        return false;
      }
      this.#bytes[this.#at++] = code;
    }
    return true;
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#at + count));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
