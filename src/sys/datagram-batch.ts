/**
 * Room for a batch of datagrams, and the arrays of pointers that `recvmmsg` and `sendmmsg` want over it. This is the only
 * place that computes addresses: a wrong one is a corrupted process, not an exception. A reply is made where its query
 * lies and goes out by the same header, so that neither bytes nor client addresses are copied; headers of replies are
 * moved to the front of the array, and what they point to stays. Nothing here allocates once it is made.
 *
 * One piece of memory: headers (`struct mmsghdr`, 64 bytes), `struct iovec`s (16), client addresses, control data, then
 * the packets. The layouts are those of 64-bit little-endian Linux; `hasKnownLayout` tells, others must not come here.
 */
import { endianness } from 'node:os';
import { openLibc } from './libc.ts';

/** The largest payload of a UDP datagram over IPv4; over IPv6 it is 20 bytes longer, and nobody sends that. */
export const MAX_DATAGRAM_BYTES = 65_507;
/** Of a `sockaddr_in6`, the longer one. */
export const NAME_BYTES = 28;
export const CONTROL_BYTES = 64;

const HEADER_BYTES = 64;
const VECTOR_BYTES = 16;
const NAME_STRIDE = 32;
/** Not a power of two: packets would all fall on the same lines of the processor's cache. */
const PACKET_STRIDE = 65_536 + 5 * 64;

/** `struct msghdr` in 4-byte words. */
const NAME = 0;
const NAME_LENGTH = 2;
const VECTORS = 4;
const VECTOR_COUNT = 6;
const CONTROL = 8;
const CONTROL_LENGTH = 10;
const FLAGS = 12;
/** Behind it, in `struct mmsghdr`: what was received. */
const LENGTH = 14;
const HEADER_WORDS = HEADER_BYTES / 4;
/** `struct iovec`. */
const VECTOR_LENGTH = 2;

export const MSG_DONTWAIT = 0x40;
export const MSG_WAITFORONE = 0x10000;
const MSG_TRUNC = 0x20;
const EINTR = 4;

/** Whether the layouts here are those of this machine. */
export function hasKnownLayout(): boolean {
  return process.platform === 'linux' && endianness() === 'LE' && ['x64', 'arm64'].includes(process.arch);
}

export class DatagramBatch {
  readonly capacity: number;
  /** All of it; what `packetAt`, `nameAt` and `controlAt` give are offsets into it. */
  readonly memory: ArrayBuffer;
  readonly bytes: Uint8Array;
  /** The same memory in 4-byte words, for copying. */
  readonly words: Int32Array;
  readonly #base: number;
  readonly #vectorsAt: number;
  readonly #namesAt: number;
  readonly #controlsAt: number;
  readonly #packetsAt: number;
  /** Which piece of memory a header points to. */
  readonly #slots: Int32Array;
  readonly #libc = openLibc();
  /** Headers whose lengths are not those that `receive` needs. */
  #used = 0;
  #replies = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#vectorsAt = capacity * HEADER_BYTES;
    this.#namesAt = this.#vectorsAt + capacity * VECTOR_BYTES;
    this.#controlsAt = this.#namesAt + capacity * NAME_STRIDE;
    this.#packetsAt = this.#controlsAt + capacity * CONTROL_BYTES;
    // Pages that no packet was long enough to reach are never backed by memory.
    this.memory = new ArrayBuffer(this.#packetsAt + capacity * PACKET_STRIDE);
    this.bytes = new Uint8Array(this.memory);
    this.words = new Int32Array(this.memory);
    this.#slots = new Int32Array(capacity);
    this.#base = Number(this.#libc.address(this.bytes));
    for (let i = 0; i < capacity; i++) this.#link(i);
    this.#used = capacity;
  }

  /** How many came, or a negated errno; -EAGAIN when there was nothing. Forgets the batch before. */
  receive(fd: number, flags: number): number {
    for (let i = 0; i < this.#used; i++) this.#open(i);
    this.#used = 0;
    this.#replies = 0;
    const count = this.#libc.recvmmsg(fd, this.#base, this.capacity, flags);
    if (count > 0) this.#used = count;
    return count;
  }

  /** Offset of the packet under header `i`; a multiple of 4, with room for the largest datagram. */
  packetAt(i: number): number {
    return this.#packetsAt + this.#slot(i) * PACKET_STRIDE;
  }

  packetLength(i: number): number {
    return this.words[i * HEADER_WORDS + LENGTH] ?? 0;
  }

  /** More came than a datagram can hold. */
  isCut(i: number): boolean {
    return ((this.words[i * HEADER_WORDS + FLAGS] ?? 0) & MSG_TRUNC) !== 0;
  }

  /** Offset of the client's `sockaddr`. */
  nameAt(i: number): number {
    return this.#namesAt + this.#slot(i) * NAME_STRIDE;
  }

  nameLength(i: number): number {
    return this.words[i * HEADER_WORDS + NAME_LENGTH] ?? 0;
  }

  /** Offset of the control data: which of our addresses was asked. */
  controlAt(i: number): number {
    return this.#controlsAt + this.#slot(i) * CONTROL_BYTES;
  }

  controlLength(i: number): number {
    return this.words[i * HEADER_WORDS + CONTROL_LENGTH] ?? 0;
  }

  setControlLength(i: number, length: number): void {
    this.words[i * HEADER_WORDS + CONTROL_LENGTH] = length;
  }

  /** What lies at `packetAt(i)` now is the reply. Call it for ascending `i`, after everything else about `i`. */
  reply(i: number, length: number): void {
    const slot = this.#slot(i);
    this.words[(this.#vectorsAt >> 2) + slot * (VECTOR_BYTES >> 2) + VECTOR_LENGTH] = length;
    if (i !== this.#replies) this.#swap(i, this.#replies);
    this.#replies++;
  }

  /** A message that did not arrive here. False when it is too long, or when there is no room for one more before `send`. */
  add(name: Uint8Array, control: Uint8Array, packet: Uint8Array): boolean {
    const i = this.#replies;
    const fits =
      name.length <= NAME_BYTES && control.length <= CONTROL_BYTES && packet.length <= MAX_DATAGRAM_BYTES;
    if (i === this.capacity || !fits) return false;
    this.#used = Math.max(this.#used, i + 1);
    this.bytes.set(name, this.nameAt(i));
    this.bytes.set(control, this.controlAt(i));
    this.bytes.set(packet, this.packetAt(i));
    this.words[i * HEADER_WORDS + NAME_LENGTH] = name.length;
    this.setControlLength(i, control.length);
    this.reply(i, packet.length);
    return true;
  }

  get replies(): number {
    return this.#replies;
  }

  /**
   * Sends what `reply` and `add` put together, and never waits. One that the kernel refuses (the client is unreachable,
   * the interface full) is dropped and the rest go on. Returns how many were dropped.
   */
  send(fd: number): number {
    const count = this.#replies;
    let dropped = 0;
    for (let sent = 0; sent < count; ) {
      const went = this.#libc.sendmmsg(fd, this.#base + sent * HEADER_BYTES, count - sent, MSG_DONTWAIT);
      if (went > 0) sent += went;
      else if (went !== -EINTR) {
        sent++;
        dropped++;
      }
    }
    this.#replies = 0;
    return dropped;
  }

  #slot(i: number): number {
    return this.#slots[i] ?? 0;
  }

  #link(i: number): void {
    const header = i * HEADER_BYTES;
    const vector = this.#vectorsAt + i * VECTOR_BYTES;
    this.#slots[i] = i;
    this.#setPointer(header + 4 * NAME, this.#namesAt + i * NAME_STRIDE);
    this.#setPointer(header + 4 * VECTORS, vector);
    this.#setPointer(header + 4 * CONTROL, this.#controlsAt + i * CONTROL_BYTES);
    this.#setPointer(vector, this.#packetsAt + i * PACKET_STRIDE);
    this.words[(header >> 2) + VECTOR_COUNT] = 1;
  }

  #setPointer(at: number, to: number): void {
    const address = this.#base + to;
    this.words[at >> 2] = address % 0x1_0000_0000;
    this.words[(at >> 2) + 1] = Math.floor(address / 0x1_0000_0000);
  }

  #open(i: number): void {
    const header = i * HEADER_WORDS;
    this.words[header + NAME_LENGTH] = NAME_BYTES;
    this.words[header + CONTROL_LENGTH] = CONTROL_BYTES;
    this.words[(this.#vectorsAt >> 2) + this.#slot(i) * (VECTOR_BYTES >> 2) + VECTOR_LENGTH] =
      MAX_DATAGRAM_BYTES;
  }

  #swap(i: number, k: number): void {
    const words = this.words;
    for (let word = 0; word < HEADER_WORDS; word++) {
      const kept = words[i * HEADER_WORDS + word] ?? 0;
      words[i * HEADER_WORDS + word] = words[k * HEADER_WORDS + word] ?? 0;
      words[k * HEADER_WORDS + word] = kept;
    }
    const slot = this.#slot(i);
    this.#slots[i] = this.#slot(k);
    this.#slots[k] = slot;
  }
}
