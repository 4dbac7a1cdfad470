/**
 * The question of a packet, as far as it is one that a packet thread may answer: opcode QUERY, one question of class IN,
 * no records but at most one OPT without options (RFC 6891). Everything else is left to the main thread, malformed
 * packets too. The fields are of the last packet read.
 */
import { TYPE } from '../../dns/codes.ts';

const HEADER_BYTES = 12;
const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;
/** Root owner, type, class, TTL and data length. */
export const OPT_BYTES = 11;
/** Counts as words of the machine: one question, no answer; no authority, no additional or one. */
const ONE_QUESTION = 0x0000_0100;
const ONE_ADDITIONAL = 0x0100_0000;
/** QR and opcode, in the third byte. */
const NO_PLAIN_QUERY = 0xf8;

export class PacketQuery {
  /** Third and fourth byte of the header. */
  flagsHigh = 0;
  flagsLow = 0;
  nameLength = 0;
  type = 0;
  /** Header and question. */
  questionEnd = 0;
  hasOpt = false;
  udpSize = 0;
  dnssecOk = false;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(packets: ArrayBufferLike) {
    this.#words = new Int32Array(packets);
    this.#bytes = new Uint8Array(packets);
  }

  /** False when the main thread has to look at it. */
  read(at: number, length: number): boolean {
    const words = this.#words;
    const head = at >> 2;
    if (length < HEADER_BYTES + 5 || words[head + 1] !== ONE_QUESTION) return false;
    const flags = words[head] ?? 0;
    this.flagsHigh = (flags >>> 16) & 0xff;
    this.flagsLow = flags >>> 24;
    if ((this.flagsHigh & NO_PLAIN_QUERY) !== 0) return false;
    const nameLength = this.#nameLength(at + HEADER_BYTES, at + length);
    if (nameLength === 0) return false;
    const end = HEADER_BYTES + nameLength + 4;
    if (end > length || !this.#readKind(at + end - 4)) return false;
    this.nameLength = nameLength;
    this.questionEnd = end;
    const additionals = words[head + 2];
    this.hasOpt = additionals === ONE_ADDITIONAL;
    this.udpSize = 0;
    this.dnssecOk = false;
    return this.hasOpt ? end + OPT_BYTES <= length && this.#readOpt(at + end) : additionals === 0;
  }

  /** 0 when it is no name of labels alone, or too long. */
  #nameLength(start: number, end: number): number {
    const bytes = this.#bytes;
    let at = start;
    while (at < end) {
      const size = bytes[at] ?? 0;
      if (size === 0) return at + 1 - start <= MAX_NAME_BYTES ? at + 1 - start : 0;
      if (size > MAX_LABEL_BYTES) return 0;
      at += 1 + size;
    }
    return 0;
  }

  #readKind(at: number): boolean {
    const bytes = this.#bytes;
    this.type = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    // A DS record lives in the parent zone, which is found by other rules.
    return bytes[at + 2] === 0 && bytes[at + 3] === 1 && this.type !== TYPE.DS;
  }

  #readOpt(at: number): boolean {
    const bytes = this.#bytes;
    this.udpSize = ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0);
    this.dnssecOk = ((bytes[at + 7] ?? 0) & 0x80) !== 0;
    const isOpt = bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === TYPE.OPT;
    const isPlain = bytes[at + 6] === 0 && bytes[at + 9] === 0 && bytes[at + 10] === 0;
    return isOpt && isPlain;
  }
}
