/**
 * The node's memory of packets: the bytes the kernel told, in one piece of memory of fixed size, the newest in place of the
 * oldest. Each packet has a number that never repeats. Readers hold a number, not a place: a slow one is overtaken, can
 * count what it missed, and costs nobody else anything. Deliberately no history beyond it.
 */
import type { RecordMemory, RecordRoom } from '../../datapath/packet-record.ts';

/** What is kept of a packet beside its bytes. */
export interface PacketNote {
  /** How many flows it is told as: 0 to 255. */
  readonly flows: number;
  /** From the query to this answer; negative: it is none, or its query was not seen. */
  readonly latencyNs: number;
}

/** A packet where it lies; good until the next one is added. */
export interface LoggedPacket extends PacketNote {
  readonly memory: RecordMemory;
  readonly at: number;
  readonly length: number;
  /** Not 0: there is no packet here, so many were lost at this place. */
  readonly lost: number;
}

/** As in Hubble (spec hubble 6.4): capacity is one less than a power of two. Sixteen times its default. */
export const DEFAULT_FLOW_CAPACITY = 65535;
export const MAX_FLOW_CAPACITY = 65535;

/** On average: two of three flows come from a packet they share with another, and a packet takes about 200 bytes. */
const BYTES_PER_FLOW = 128;
/** The longest record there can be, twice. */
const LEAST_BYTES = 8192;

export class PacketLog {
  /** In flows. */
  readonly capacity: number;
  readonly #memory: RecordMemory;
  /** By number modulo their length: where a packet begins, how long it is, what was noted. */
  readonly #at: Uint32Array;
  readonly #lengths: Uint16Array;
  readonly #flows: Uint8Array;
  readonly #latencies: Float64Array;
  readonly #waiting = new Set<() => void>();
  #wasAwaited = false;
  #next = 0;
  #oldest = 0;
  #flowsHeld = 0;
  #flowsEver = 0;
  /** Where the next record goes. */
  #end = 0;

  /** `capacity` is raised to the next 2^n - 1, at most `MAX_FLOW_CAPACITY`. */
  constructor(capacity: number = DEFAULT_FLOW_CAPACITY) {
    let size = 1;
    while (size < capacity && size < MAX_FLOW_CAPACITY) size = size * 2 + 1;
    this.capacity = size;
    const words = new Int32Array(Math.max(LEAST_BYTES, size * BYTES_PER_FLOW) >> 2);
    this.#memory = { words, bytes: new Uint8Array(words.buffer) };
    this.#at = new Uint32Array(size);
    this.#lengths = new Uint16Array(size);
    this.#flows = new Uint8Array(size);
    this.#latencies = new Float64Array(size);
  }

  /** The number that the next packet gets: also how many there have ever been. Safe up to 2^53. */
  get next(): number {
    return this.#next;
  }

  /** The number of the oldest packet still here; equals `next` when there is none. */
  get oldest(): number {
    return this.#oldest;
  }

  /** Of the packets that are here. */
  get flowsHeld(): number {
    return this.#flowsHeld;
  }

  /** Of all packets there have ever been. */
  get flowsEver(): number {
    return this.#flowsEver;
  }

  /**
   * A place for so many bytes of records, which are added one after the other where they lie then; nothing when it has no
   * place for as many. What is put there and not added is room that is lost until it comes by again.
   */
  room(bytes: number): RecordRoom | undefined {
    const needed = ((bytes + 7) >> 3) << 1;
    if (needed > this.#memory.words.length >> 2) return undefined;
    const start = this.#place(needed);
    this.#end = start + needed;
    return { memory: this.#memory, at: start << 2 };
  }

  /** Keeps a record: one in its own memory where it lies, a copy of others; one longer than all the memory is not kept. */
  add(source: RecordMemory, from: number, length: number, note: PacketNote): void {
    this.#makeNumber(note.flows);
    const start =
      source === this.#memory ? from >> 2 : this.#copy(source.words, from >> 2, (length + 3) >> 2);
    if (start < 0) return;
    const slot = this.#next % this.#at.length;
    this.#at[slot] = start << 2;
    this.#lengths[slot] = length;
    this.#flows[slot] = note.flows;
    this.#latencies[slot] = note.latencyNs;
    this.#next++;
    this.#flowsHeld += note.flows;
    this.#flowsEver += note.flows;
    if (this.#waiting.size > 0) this.#wake();
  }

  /** Takes a number as a packet does, and says in its place that so many never came. */
  addLoss(count: number): void {
    this.#makeNumber(0);
    // A word that nobody reads keeps its place among the packets.
    const start = this.#place(2);
    this.#end = start + 2;
    const slot = this.#next % this.#at.length;
    this.#at[slot] = start << 2;
    this.#lengths[slot] = 0;
    this.#flows[slot] = 0;
    this.#latencies[slot] = count;
    this.#next++;
    if (this.#waiting.size > 0) this.#wake();
  }

  /** Nothing for a number that is overwritten or not yet given. */
  at(sequence: number): LoggedPacket | undefined {
    if (sequence < this.#oldest || sequence >= this.#next) return undefined;
    const slot = sequence % this.#at.length;
    const length = this.#lengths[slot] ?? 0;
    const noted = this.#latencies[slot] ?? -1;
    return {
      memory: this.#memory,
      at: this.#at[slot] ?? 0,
      length,
      flows: this.#flows[slot] ?? 0,
      latencyNs: length === 0 ? -1 : noted,
      lost: length === 0 ? noted : 0,
    };
  }

  /** Whether somebody waits for the next packet, or has waited since this was last asked: a follower comes back at once. */
  wasAwaited(): boolean {
    const was = this.#wasAwaited || this.#waiting.size > 0;
    this.#wasAwaited = false;
    return was;
  }

  /** Calls `wake` once, at the next packet; returns the way to stop waiting. */
  onNext(wake: () => void): () => void {
    this.#waiting.add(wake);
    this.#wasAwaited = true;
    return () => {
      this.#waiting.delete(wake);
    };
  }

  #wake(): void {
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** The word at which the copy begins; negative: it is too long. */
  #copy(from: Int32Array, first: number, needed: number): number {
    const { words } = this.#memory;
    if (needed > words.length >> 1) return -1;
    const start = this.#place((needed + 1) & ~1);
    // A loop of its own beats a view and a call for some fifty words.
    for (let i = 0; i < needed; i++) words[start + i] = from[first + i] ?? 0;
    this.#end = start + ((needed + 1) & ~1);
    return start;
  }

  /** Lets go of as many of the oldest as have no number, or too many flows, beside the next one. */
  #makeNumber(flows: number): void {
    if (this.#next - this.#oldest === this.#at.length) this.#drop();
    while (this.#flowsHeld + flows > this.capacity && this.#oldest < this.#next) this.#drop();
  }

  /** The word, an even one, at which `needed` words are free; lets go of as many of the oldest as that takes. */
  #place(needed: number): number {
    const total = this.#memory.words.length;
    let start = this.#end;
    if (start + needed > total) {
      // What lies between here and the end of the memory goes first: it is the oldest.
      while (this.#oldest < this.#next && this.#oldestWord() >= start) this.#drop();
      start = 0;
    }
    while (this.#oldest < this.#next) {
      const oldest = this.#oldestWord();
      if (oldest < start || oldest >= start + needed) break;
      this.#drop();
    }
    return start;
  }

  #oldestWord(): number {
    return (this.#at[this.#oldest % this.#at.length] ?? 0) >> 2;
  }

  #drop(): void {
    this.#flowsHeld -= this.#flows[this.#oldest % this.#flows.length] ?? 0;
    this.#oldest++;
  }
}
