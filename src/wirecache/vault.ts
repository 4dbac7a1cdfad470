/**
 * All entries of the process on the writer's side: finds, stores and takes out, and makes room when memory runs short.
 * Each entry stands in the index, in the list of its partition's share, and in the list of all, whose hand says who goes
 * when the memory of the process is full. Deliberately absent: what a partition may hold, which is its own business.
 */

import { encodeNameInto } from '../dns/writer.ts';
import { ChunkPool } from './chunk-pool.ts';
import type { AnswerKey, CacheMirror, Share, WireAnswer } from './contract.ts';
import {
  chunksFor,
  type FoldedKey,
  keyBitsOf,
  kindOf,
  MAX_STREAM_WORDS,
  matchesKey,
  partitionOf,
  shareOf,
  writeEntry,
} from './entry.ts';
import { FoldedName } from './folded-name.ts';
import { IndexTable } from './index-table.ts';
import { CHUNK_BYTES, indexWords, MARK_BYTE, MARKS, SIDE, SIDE_WORDS } from './layout.ts';
import type { Memory } from './memory.ts';
import { layoutOfRecords, type RecordLayout } from './record-layout.ts';
import { SieveList } from './sieve-list.ts';

/** Chunks of entries taken out ahead of need: while readers are in a batch, their room cannot be used again yet. */
const RESERVE = 64;

/** A partition as far as its entries are concerned. */
export interface Owner {
  readonly id: number;
  readonly lists: Readonly<Record<Share, SieveList>>;
  /** Chunks in use, by share. */
  readonly chunks: Record<Share, number>;
  /** One of its entries had to go for lack of memory. */
  onEvicted(share: Share): void;
}

/** A key made ready for looking up; good until the next one is made. */
export interface PreparedKey extends FoldedKey {
  readonly hash: number;
}

/** An answer measured for storing. */
export interface PreparedAnswer {
  readonly answer: WireAnswer;
  readonly layout: RecordLayout;
  readonly chunks: number;
}

export class Vault {
  readonly memory: Memory;
  readonly index: IndexTable;
  /** Told whenever an entry came or went, after it did and before its room may be used again. */
  mirror: CacheMirror | undefined;
  readonly #pool: ChunkPool;
  readonly #all: SieveList;
  readonly #owners = new Map<number, Owner>();
  readonly #name: FoldedName;
  readonly #scratch = new Int32Array(64);
  readonly #scratchBytes = new Uint8Array(this.#scratch.buffer);
  readonly #stream = new Int32Array(MAX_STREAM_WORDS);
  #lastKey: AnswerKey | undefined;
  #prepared: PreparedKey | undefined;

  constructor(memory: Memory) {
    this.memory = memory;
    this.index = new IndexTable(memory);
    this.#pool = new ChunkPool(memory);
    this.#all = new SieveList(memory, {
      older: SIDE.OLDER_OF_ALL,
      newer: SIDE.NEWER_OF_ALL,
      mark: MARKS.ALL,
    });
    this.#name = new FoldedName(memory);
  }

  get usedBytes(): number {
    return this.#pool.used * (CHUNK_BYTES + 4 * SIDE_WORDS) + 4 * indexWords(this.index.level);
  }

  /** Seats from this number on are empty. */
  watchSeats(count: number): void {
    this.#pool.watchSeats(count);
  }

  admit(owner: Owner): void {
    this.#owners.set(owner.id, owner);
  }

  dismiss(owner: Owner): void {
    for (const list of [owner.lists.success, owner.lists.denial]) {
      while (list.oldest !== 0) this.takeOut(list.oldest);
    }
    this.#owners.delete(owner.id);
  }

  prepareKey(partition: number, key: AnswerKey): PreparedKey {
    // Whoever asks for a name in one share asks for it in the other.
    if (this.#lastKey === key && this.#prepared?.partition === partition) return this.#prepared;
    this.#name.fold(this.#scratch, 0, encodeNameInto(this.#scratchBytes, key.name));
    const kind = kindOf(key);
    const bits = keyBitsOf(key);
    const hash = this.#name.hash(kind, partition | (bits << 16));
    this.#lastKey = key;
    this.#prepared = { name: this.#name, kind, partition, bits, hash };
    return this.#prepared;
  }

  prepareAnswer(key: PreparedKey, answer: WireAnswer): PreparedAnswer {
    const layout = layoutOfRecords(answer.records, answer.counts);
    const chunks = chunksFor(key.name.length, layout.ttlPlaces.length, answer.records.length);
    return { answer, layout, chunks };
  }

  /** 0 when it is not there. */
  find(key: PreparedKey, share: Share): number {
    return this.index.find(key.hash, (entry) => matchesKey(this.memory, entry, key, share));
  }

  /** Tells both hands that the entry is of use. */
  markUsed(entry: number): void {
    const { bytes } = this.memory;
    const at = this.#markAt(entry);
    if (bytes[at] !== MARKS.BOTH) bytes[at] = MARKS.BOTH;
  }

  /**
   * Takes the place of `before`, which must be unlisted; 0 when there is none. False when there is no room: then `before`
   * is gone all the same.
   */
  store(owner: Owner, { key, share, prepared, before }: StoreRequest): boolean {
    const { answer, layout, chunks } = prepared;
    const entry = this.#obtain(chunks);
    if (entry !== 0) {
      writeEntry(this.memory, entry, this.#stream, { key, share, answer, layout });
      this.#setSide(entry, key.hash);
    }
    if (before !== 0) {
      if (entry === 0) {
        this.index.remove(key.hash, before);
        this.mirror?.changed(before);
      } else this.index.replace(key.hash, before, entry);
      this.#pool.giveBack(before);
    } else if (entry !== 0) this.#enter(key.hash, entry);
    if (entry === 0) return false;
    owner.lists[share].add(entry);
    owner.chunks[share] += chunks;
    this.#all.add(entry);
    this.mirror?.changed(entry);
    return true;
  }

  evict(entry: number): void {
    const owner = this.#ownerOf(entry);
    const share = shareOf(this.memory, entry);
    this.takeOut(entry);
    owner.onEvicted(share);
  }

  takeOut(entry: number): void {
    this.index.remove(this.#side(entry, SIDE.HASH), entry);
    this.unlist(entry);
    this.mirror?.changed(entry);
    this.#pool.giveBack(entry);
  }

  /** The entry can still be found; it must be taken out of the index, or be replaced there, before anything else. */
  unlist(entry: number): void {
    const owner = this.#ownerOf(entry);
    const share = shareOf(this.memory, entry);
    owner.lists[share].take(entry);
    owner.chunks[share] -= this.#side(entry, SIDE.CHUNKS);
    this.#all.take(entry);
  }

  /** Never waits for readers: what they still hold is not to be had, and then this gives 0. */
  #obtain(chunks: number): number {
    while (this.#pool.obtainable < chunks + RESERVE) {
      const victim = this.#all.sift();
      if (victim === 0) break;
      this.evict(victim);
    }
    return this.#pool.take(chunks);
  }

  #enter(hash: number, entry: number): void {
    if (this.index.isCrowdedFor(hash)) {
      this.index.grow(this.#entries(), (homeless) => {
        const owner = this.#ownerOf(homeless);
        owner.onEvicted(shareOf(this.memory, homeless));
        this.unlist(homeless);
        this.mirror?.changed(homeless);
        this.#pool.giveBack(homeless);
      });
    }
    if (!this.index.hasRoom(hash)) this.evict(this.index.rival(hash, (rival) => this.#isUsed(rival)));
    this.index.add(hash, entry);
  }

  #ownerOf(entry: number): Owner {
    const owner = this.#owners.get(partitionOf(this.memory, entry));
    if (owner === undefined) throw new Error(`Entry ${entry} is nobody's`);
    return owner;
  }

  *#entries(): Iterable<number> {
    for (let entry = this.#all.oldest; entry !== 0; entry = this.#all.newerThan(entry)) yield entry;
  }

  #isUsed(entry: number): boolean {
    return (this.memory.bytes[this.#markAt(entry)] ?? 0) !== 0;
  }

  #markAt(entry: number): number {
    return 4 * this.memory.geometry.data + entry * CHUNK_BYTES + MARK_BYTE;
  }

  #side(entry: number, field: number): number {
    return this.memory.words[this.memory.geometry.side + entry * SIDE_WORDS + field] ?? 0;
  }

  #setSide(entry: number, hash: number): void {
    const { words, geometry } = this.memory;
    const side = geometry.side + entry * SIDE_WORDS;
    words[side + SIDE.HASH] = hash;
    words[side + SIDE.HITS] = 0;
    words[side + SIDE.LAST_HIT] = 0;
  }
}

interface StoreRequest {
  readonly key: PreparedKey;
  readonly share: Share;
  readonly prepared: PreparedAnswer;
  readonly before: number;
}
