/**
 * What travels through the ring: a packet that the main thread has to answer, or an answer that it has to log. Written
 * word by word by the packet thread, which must not allocate; read as values by the main thread.
 */
import type { DatagramBatch } from '../sys/datagram-batch.ts';
import type { RingReader, RingWriter } from './byte-ring.ts';

/** In 4-byte words; the times are doubles. Behind them: client address, control data, query, reply. */
const SOCKET = 0;
const ROUTE = 1;
const NAME_LENGTH = 2;
const CONTROL_LENGTH = 3;
const QUERY_LENGTH = 4;
const REPLY_LENGTH = 5;
const TIME = 6;
const DURATION = 8;
const HEADER_BYTES = 40;

/** Of records without a reply. */
export const NO_ROUTE = -1;

export interface RingRecord {
  readonly socket: number;
  /** Of the answer cache; `NO_ROUTE` for a packet that is not answered yet. */
  readonly route: number;
  /** A kernel `sockaddr`. */
  readonly name: Uint8Array;
  readonly control: Uint8Array;
  readonly query: Uint8Array;
  /** Empty for a packet that is not answered yet. */
  readonly reply: Uint8Array;
  readonly receivedAtMs: number;
  /** How long the packet thread took; 0 for a packet that is not answered yet. */
  readonly durationMs: number;
}

/** Writes records about the packets of one batch. */
export class RecordWriter {
  readonly #ring: RingWriter;
  readonly #batch: DatagramBatch;
  readonly #view: DataView;
  readonly #words: Int32Array;
  #socket = 0;
  #receivedAtMs = 0;
  #at = -1;
  #end = 0;

  constructor(ring: RingWriter, batch: DatagramBatch) {
    this.#ring = ring;
    this.#batch = batch;
    this.#view = ring.view;
    this.#words = new Int32Array(ring.bytes.buffer, ring.bytes.byteOffset, ring.bytes.byteLength >> 2);
  }

  /** What the records of the next batch have in common: the socket, and the main thread's time. */
  startBatch(socket: number, receivedAtMs: number): void {
    this.#socket = socket;
    this.#receivedAtMs = receivedAtMs;
  }

  /** Takes the query of header `i` down, with room for `replyRoom` bytes of reply. False when the ring is full. */
  begin(i: number, replyRoom: number): boolean {
    const batch = this.#batch;
    const nameLength = batch.nameLength(i);
    const controlLength = batch.controlLength(i);
    const queryLength = batch.packetLength(i);
    const fixed = HEADER_BYTES + padded(nameLength) + padded(controlLength);
    const at = this.#ring.reserve(fixed + padded(queryLength) + padded(replyRoom));
    this.#at = at;
    if (at < 0) return false;
    const word = at >> 2;
    this.#words[word + SOCKET] = this.#socket;
    this.#words[word + ROUTE] = NO_ROUTE;
    this.#words[word + NAME_LENGTH] = nameLength;
    this.#words[word + CONTROL_LENGTH] = controlLength;
    this.#words[word + QUERY_LENGTH] = queryLength;
    this.#words[word + REPLY_LENGTH] = 0;
    this.#view.setFloat64(at + TIME * 4, this.#receivedAtMs, true);
    this.#view.setFloat64(at + DURATION * 4, 0, true);
    this.#end = at + HEADER_BYTES;
    this.#append(batch.nameAt(i), nameLength);
    this.#append(batch.controlAt(i), controlLength);
    this.#append(batch.packetAt(i), queryLength);
    return true;
  }

  /** The query is now covered by its reply. Without a call of `begin` that succeeded, nothing happens. */
  addReply(i: number, { length, route, nowMs }: { length: number; route: number; nowMs: number }): void {
    if (this.#at < 0) return;
    const word = this.#at >> 2;
    this.#words[word + ROUTE] = route;
    this.#words[word + REPLY_LENGTH] = length;
    this.#view.setFloat64(this.#at + DURATION * 4, nowMs - this.#receivedAtMs, true);
    this.#append(this.#batch.packetAt(i), length);
  }

  /** Returns whether the reader has to be woken. */
  publish(): boolean {
    return this.#ring.publish(this.#end - this.#at);
  }

  #append(from: number, length: number): void {
    const source = this.#batch.words;
    const words = this.#words;
    const first = from >> 2;
    const to = this.#end >> 2;
    const count = (length + 3) >> 2;
    for (let i = 0; i < count; i++) words[to + i] = source[first + i] ?? 0;
    this.#end += count * 4;
  }
}

/** The record at the reader's place, as copies; undefined when there is none. Its room is given back. */
export function takeRecord(ring: RingReader): RingRecord | undefined {
  const at = ring.next();
  if (at < 0) return undefined;
  const { bytes, view } = ring;
  const word = (i: number) => view.getInt32(at + i * 4, true);
  const nameAt = at + HEADER_BYTES;
  const controlAt = nameAt + padded(word(NAME_LENGTH));
  const queryAt = controlAt + padded(word(CONTROL_LENGTH));
  const replyAt = queryAt + padded(word(QUERY_LENGTH));
  const taken: RingRecord = {
    socket: word(SOCKET),
    route: word(ROUTE),
    name: copyOf(bytes, nameAt, word(NAME_LENGTH)),
    control: copyOf(bytes, controlAt, word(CONTROL_LENGTH)),
    query: copyOf(bytes, queryAt, word(QUERY_LENGTH)),
    reply: copyOf(bytes, replyAt, word(REPLY_LENGTH)),
    receivedAtMs: view.getFloat64(at + TIME * 4, true),
    durationMs: view.getFloat64(at + DURATION * 4, true),
  };
  ring.release();
  return taken;
}

const NOTHING = new Uint8Array(0);
/** V8's `typed_array_max_size_in_heap`. */
const MOST_ON_HEAP_BYTES = 64;

/**
 * Small ones lie on V8's own heap, as long as nobody asks for their `buffer` (`subarray` does); longer ones come from
 * Node's pool. Memory of its own costs several times as much, and once more when it is collected.
 */
function copyOf(bytes: Uint8Array, at: number, length: number): Uint8Array {
  if (length === 0) return NOTHING;
  if (length <= MOST_ON_HEAP_BYTES) return bytes.slice(at, at + length);
  const copy = Buffer.allocUnsafe(length);
  copy.set(bytes.subarray(at, at + length));
  return copy;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
