/**
 * What a packet thread does all day: read a batch, answer in place what the answer cache has, hand the rest to the main
 * thread, send the replies. It owns the batch's memory and no descriptor. Nothing on the way of an answered packet
 * allocates, so there is nothing to collect; the clock is read twice a batch.
 */
import { BeatWriter } from '../heartbeat/beat-writer.ts';
import { DatagramBatch, MSG_DONTWAIT, MSG_WAITFORONE } from '../sys/datagram-batch.ts';
import { errnoName } from '../sys/errors.ts';
import { PollSet } from '../sys/poll-set.ts';
import { forgetInterface } from '../sys/sockaddr.ts';
import { PACKET_SLOT_BYTES, type PacketAnswerer } from '../wirecache/contract.ts';
import { RingWriter } from './byte-ring.ts';
import { RecordWriter } from './ring-record.ts';
import {
  ANSWERED,
  BATCHES,
  BUSY,
  isLogged,
  LOST_LOG_ENTRIES,
  MAX_LISTENERS,
  OVERFLOWS,
  UNSENT,
} from './shared-state.ts';
import { NO_LISTENER, type ThreadSocket } from './thread-messages.ts';

/** More makes answers late and evicts its own beginning from the processor's cache. */
const BATCH = 64;
/** Of a socket that is to be emptied under full load: whoever comes after so many has come after the order to stop. */
const MAX_DRAIN_BATCHES = 1024;

/** In a row: errors of single packets come one by one, and are forgotten by the next read. */
const MAX_FAILURES = 1000;
const EAGAIN = 11;

export interface PacketLoopOptions {
  readonly state: SharedArrayBuffer;
  readonly ring: SharedArrayBuffer;
  /** Of the main thread, milliseconds. */
  readonly now: () => number;
  /** How long a read may block. The sockets' own receive timeout must not be longer. */
  readonly deafMs: number;
  /** Tells the main thread that there is something in the ring. */
  readonly wake: () => void;
  /** Made over the packets' memory; undefined: everything is handed over. */
  readonly makeAnswerer?: (packets: ArrayBuffer) => PacketAnswerer;
}

export class PacketLoop {
  readonly #batch = new DatagramBatch(BATCH);
  readonly #state: Int32Array;
  readonly #records: RecordWriter;
  readonly #answerer: PacketAnswerer | undefined;
  readonly #options: PacketLoopOptions;
  #sockets: readonly ThreadSocket[] = [];
  #poll = new PollSet([]);
  /** The socket does not block: a process that shares it made it so. Then `poll` has to do the waiting. */
  #neverBlocks = false;
  #lastEmptyMs = Number.NEGATIVE_INFINITY;
  #mustWake = false;
  #failures = 0;
  #beats: BeatWriter | undefined;

  constructor(options: PacketLoopOptions) {
    this.#options = options;
    this.#state = new Int32Array(options.state);
    this.#records = new RecordWriter(new RingWriter(options.ring), this.#batch);
    this.#answerer = options.makeAnswerer?.(this.#batch.memory);
  }

  get sockets(): readonly ThreadSocket[] {
    return this.#sockets;
  }

  use(sockets: readonly ThreadSocket[]): void {
    this.#sockets = sockets;
    this.#poll = new PollSet(sockets.map(({ fd }) => fd));
    this.#neverBlocks = false;
  }

  /** Where each turn tells that this thread lives; see `BeatRow`. */
  beatAt(address: bigint): void {
    this.#beats = new BeatWriter(address);
  }

  /** One wait and what it brought; comes back after `deafMs` at the latest. Without a socket there is no wait. */
  turn(): void {
    const [first] = this.#sockets;
    if (first !== undefined && this.#sockets.length === 1 && !this.#neverBlocks) {
      if (this.#serve(first, MSG_WAITFORONE) === -EAGAIN) this.#noteEmpty();
      return;
    }
    const ready = first === undefined ? 0 : this.#checkFailure(this.#poll.wait(this.#options.deafMs));
    if (ready > 0) this.#serveReady();
    this.#beats?.tick(this.#options.now());
  }

  #serveReady(): void {
    for (let i = 0; i < this.#sockets.length; i++) {
      const socket = this.#sockets[i];
      if (socket !== undefined && this.#poll.isReady(i)) this.#serve(socket, MSG_DONTWAIT);
    }
  }

  /** Two reads that found nothing are as far apart as one waits, unless they do not wait. */
  #noteEmpty(): void {
    const nowMs = this.#options.now();
    this.#beats?.tick(nowMs);
    this.#neverBlocks = nowMs - this.#lastEmptyMs < this.#options.deafMs / 2;
    this.#lastEmptyMs = nowMs;
  }

  /** Serves what has arrived on a socket, until there is nothing left. */
  drain(socket: ThreadSocket): void {
    for (let i = 0; i < MAX_DRAIN_BATCHES; i++) if (this.#serve(socket, MSG_DONTWAIT) <= 0) return;
  }

  /** How many packets came. */
  #serve(socket: ThreadSocket, flags: number): number {
    const count = this.#batch.receive(socket.fd, flags);
    if (count <= 0) return this.#checkFailure(count);
    this.#failures = 0;
    const state = this.#state;
    Atomics.store(state, BUSY, 1);
    const nowMs = this.#options.now();
    this.#beats?.tick(nowMs);
    this.#records.startBatch(socket.id, nowMs);
    this.#answer(socket, count, nowMs);
    const replies = this.#batch.replies;
    if (replies > 0) add(state, UNSENT, this.#batch.send(socket.fd));
    add(state, ANSWERED, replies);
    add(state, BATCHES, 1);
    Atomics.store(state, BUSY, 0);
    if (this.#mustWake) this.#options.wake();
    this.#mustWake = false;
    return count;
  }

  /** Nothing to read is no failure. A descriptor that never gives anything else must not keep a processor busy. */
  #checkFailure(result: number): number {
    if (result >= 0 || result === -EAGAIN) return result;
    if (++this.#failures > MAX_FAILURES) throw new Error(`Cannot read packets: ${errnoName(result)}`);
    return result;
  }

  #answer(socket: ThreadSocket, count: number, nowMs: number): void {
    const isKnown = socket.listener !== NO_LISTENER && socket.listener < MAX_LISTENERS;
    const answerer = isKnown ? this.#answerer : undefined;
    if (answerer === undefined) {
      for (let i = 0; i < count; i++) this.#handOver(i);
      return;
    }
    const logged = isLogged(this.#state, socket.listener);
    answerer.begin();
    for (let i = 0; i < count; i++) {
      if (logged) this.#answerLogged(answerer, socket, i, nowMs);
      else this.#answerOne(answerer, socket, i, nowMs);
    }
    answerer.end(this.#options.now());
  }

  #answerOne(answerer: PacketAnswerer, { listener, family }: ThreadSocket, i: number, nowMs: number): void {
    const length = this.#answerable(i);
    const replied =
      length === 0 ? 0 : answerer.answer(this.#batch.packetAt(i), length, listener, family, nowMs);
    if (replied === 0) this.#handOver(i);
    else this.#reply(i, replied);
  }

  /** The query is put into the ring before its reply covers it. */
  #answerLogged(
    answerer: PacketAnswerer,
    { listener, family }: ThreadSocket,
    i: number,
    nowMs: number,
  ): void {
    const length = this.#answerable(i);
    const noted = this.#records.begin(i, length === 0 ? 0 : PACKET_SLOT_BYTES);
    const replied =
      length === 0 ? 0 : answerer.answer(this.#batch.packetAt(i), length, listener, family, nowMs);
    if (replied === 0) {
      if (noted) this.#publish();
      else this.#handOver(i);
      return;
    }
    if (noted) {
      const route = answerer.lastRoute;
      this.#records.addReply(i, { length: replied, route, nowMs: this.#options.now() });
      this.#publish();
    } else add(this.#state, LOST_LOG_ENTRIES, 1);
    this.#reply(i, replied);
  }

  /** Its length; 0 for packets that the answerer need not see, or must not. */
  #answerable(i: number): number {
    const length = this.#batch.packetLength(i);
    return length > PACKET_SLOT_BYTES || this.#batch.nameLength(i) === 0 ? 0 : length;
  }

  #reply(i: number, length: number): void {
    const batch = this.#batch;
    const controlLength = batch.controlLength(i);
    if (controlLength > 0 && !forgetInterface(batch.bytes, batch.controlAt(i), controlLength)) {
      batch.setControlLength(i, 0);
    }
    batch.reply(i, length);
  }

  #handOver(i: number): void {
    if (this.#batch.nameLength(i) === 0 || this.#batch.isCut(i)) return;
    if (this.#records.begin(i, 0)) this.#publish();
    else add(this.#state, OVERFLOWS, 1);
  }

  #publish(): void {
    if (this.#records.publish()) this.#mustWake = true;
  }
}

/** There is one writer for each of these words. */
function add(state: Int32Array, word: number, by: number): void {
  state[word] = ((state[word] ?? 0) + by) | 0;
}
