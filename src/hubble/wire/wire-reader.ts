/** Protobuf's encoding (protobuf.dev, encoding), read; whatever the bytes are, reading ends and stays within them. */

/** Wire types. */
export const VARINT = 0;
const FIXED64 = 1;
export const LENGTH = 2;
const FIXED32 = 5;

/** Throws for bytes that are no message. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get at(): number {
    return this.#at;
  }

  /** Below 2^53; what is larger loses its last digits. */
  varint(): number {
    const first = this.#byte();
    if (first < 128) return first;
    let value = first & 127;
    for (let scale = 128, count = 1; ; scale *= 128, count++) {
      const byte = this.#byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      if (count === 9) throw new Error('a number of more than 64 bits');
    }
  }

  /** Decimal text of 64 bits; `signed` as two's complement. */
  varint64(signed: boolean): string {
    const start = this.#at;
    const value = this.varint();
    if (value <= Number.MAX_SAFE_INTEGER) return String(value);
    let exact = 0n;
    for (let at = this.#at - 1; at >= start; at--)
      exact = (exact << 7n) | BigInt((this.#bytes[at] ?? 0) & 127);
    return String(signed ? BigInt.asIntN(64, exact) : BigInt.asUintN(64, exact));
  }

  /** Where what comes next ends, by the length that stands before it. */
  length(): number {
    const end = this.varint() + this.#at;
    if (!(end <= this.#bytes.length)) throw new Error('a length beyond the end');
    return end;
  }

  text(): string {
    const end = this.length();
    const start = this.#at;
    this.#at = end;
    return this.#bytes.toString('utf8', start, end);
  }

  /** Passes over a field that nobody asked for. */
  skip(wireType: number): void {
    if (wireType === VARINT) this.varint();
    else if (wireType === LENGTH) this.#at = this.length();
    else if (wireType === FIXED64 || wireType === FIXED32) {
      this.#at += wireType === FIXED64 ? 8 : 4;
      if (this.#at > this.#bytes.length) throw new Error('a field beyond the end');
    } else throw new Error(`a field of wire type ${wireType}`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new Error('a message that ends too early');
    return byte;
  }
}
