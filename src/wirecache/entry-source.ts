/**
 * The entries of the cache as they lie in memory, for the one who mirrors them in the thread that writes: nothing is
 * allocated. What `readKey` and `readAnswer` leave in the fields is of the entry they were last called for.
 */
import type { EntrySource, PartitionSpec, Share } from './contract.ts';
import { nameAt, placeWords, shareBit } from './entry.ts';
import type { IndexTable } from './index-table.ts';
import {
  BITS,
  CHUNK_WORDS,
  ENTRY,
  FIRST_STREAM_WORDS,
  KEY_BITS,
  MARK_BYTE,
  MARKS,
  NAME_LENGTH_SHIFT,
  NEXT_STREAM_WORDS,
  OWNER_KEY_MASK,
  SIDE,
  SIDE_WORDS,
} from './layout.ts';
import type { Memory } from './memory.ts';

const NAME_WORDS = 64;

export class SharedEntries implements EntrySource {
  partition = 0;
  type = 0;
  class = 0;
  dnssecOk = false;
  checkingDisabled = false;
  nameLength = 0;
  readonly name = new Int32Array(NAME_WORDS);
  readonly nameBytes = new Uint8Array(this.name.buffer);
  headerBits = 0;
  isServerError = false;
  answers = 0;
  authorities = 0;
  additionals = 0;
  recordBytes = 0;
  ttlSeconds = 0;
  storedMs = 0;
  isTangled = false;
  runFirst = 0;
  runCount = 0;
  readonly #memory: Memory;
  readonly #index: IndexTable;
  readonly #specOf: (partition: number) => PartitionSpec | undefined;
  /** Of the last `readKey`. */
  #owner = 0;
  #kind = 0;
  #bits = 0;
  #hash = 0;
  #shareBit = 0;
  /** Of the last `readAnswer`. */
  #entry = 0;
  #places = 0;
  #answerNameLength = 0;

  constructor(memory: Memory, index: IndexTable, specOf: (partition: number) => PartitionSpec | undefined) {
    this.#memory = memory;
    this.#index = index;
    this.#specOf = specOf;
  }

  get sets(): number {
    return 1 << this.#index.level;
  }

  entriesOf(set: number, into: Int32Array): number {
    return this.#index.entriesOf(set, into);
  }

  specOf(partition: number): PartitionSpec | undefined {
    return this.#specOf(partition);
  }

  readKey(entry: number): void {
    const { words, geometry } = this.#memory;
    const head = geometry.data + entry * CHUNK_WORDS;
    const length = this.#nameLength(head);
    this.#owner = (words[head + ENTRY.OWNER] ?? 0) & OWNER_KEY_MASK;
    this.#kind = words[head + ENTRY.KIND] ?? 0;
    this.#bits = (words[head + ENTRY.BITS] ?? 0) & KEY_BITS;
    this.#hash = words[geometry.side + entry * SIDE_WORDS + SIDE.HASH] ?? 0;
    this.partition = this.#owner & 0xffff;
    this.type = this.#kind & 0xffff;
    this.class = this.#kind >>> 16;
    this.dnssecOk = (this.#bits & BITS.DNSSEC_OK) !== 0;
    this.checkingDisabled = (this.#bits & BITS.CHECKING_DISABLED) !== 0;
    this.nameLength = length;
    if ((length & 3) !== 0) this.name[length >> 2] = 0;
    this.#copy(entry, 4 * placeWords(this.#recordCount(head)), length, this.nameBytes, 0);
  }

  find(share: Share): number {
    this.#shareBit = shareBit(share);
    return this.#index.find(this.#hash, this.#matches);
  }

  readAnswer(entry: number): void {
    const { words, doubles, geometry } = this.#memory;
    const head = geometry.data + entry * CHUNK_WORDS;
    const bits = words[head + ENTRY.BITS] ?? 0;
    const counts = words[head + ENTRY.COUNTS] ?? 0;
    const extent = words[head + ENTRY.EXTENT] ?? 0;
    this.#entry = entry;
    this.#places = placeWords(this.#recordCount(head));
    this.#answerNameLength = this.#nameLength(head);
    this.headerBits = bits & 0xff;
    this.isServerError = (bits & BITS.SERVER_ERROR) !== 0;
    this.answers = counts & 0xffff;
    this.authorities = counts >>> 16;
    this.additionals = extent & 0xffff;
    this.recordBytes = extent >>> 16;
    this.ttlSeconds = words[head + ENTRY.TTL] ?? 0;
    this.storedMs = doubles[(head + ENTRY.STORED) >> 1] ?? 0;
    this.isTangled = (bits & BITS.TANGLED) !== 0;
    const hasRun = (bits & BITS.RUN) !== 0;
    this.runFirst = hasRun ? (bits >>> BITS.RUN_FIRST_SHIFT) & BITS.RUN_MASK : 0;
    this.runCount = hasRun ? (bits >>> BITS.RUN_COUNT_SHIFT) & BITS.RUN_MASK : 0;
  }

  ttlPlace(record: number): number {
    const { words, geometry } = this.#memory;
    const head = geometry.data + this.#entry * CHUNK_WORDS;
    const at = record < 2 ? head + ENTRY.TTL_PLACES : this.#wordAt(this.#entry, (record - 2) >> 1);
    const word = words[at] ?? 0;
    return (record & 1) === 0 ? word & 0xffff : word >>> 16;
  }

  copyRecords(into: Uint8Array, at: number): void {
    this.#copy(this.#entry, 4 * this.#places + this.#answerNameLength, this.recordBytes, into, at);
  }

  wasUsed(entry: number): boolean {
    return ((this.#memory.bytes[this.#markAt(entry)] ?? 0) & MARKS.SHARE) !== 0;
  }

  countUses(entry: number, hits: number, nowMs: number): void {
    const { words, bytes, geometry } = this.#memory;
    bytes[this.#markAt(entry)] = MARKS.BOTH;
    const partition = (words[geometry.data + entry * CHUNK_WORDS + ENTRY.OWNER] ?? 0) & 0xffff;
    const prefetch = this.#specOf(partition)?.prefetch;
    if (prefetch === undefined || hits === 0) return;
    const side = geometry.side + entry * SIDE_WORDS;
    const pause = ((nowMs | 0) - (words[side + SIDE.LAST_HIT] ?? 0)) | 0;
    const before = pause >= 0 && pause < prefetch.gapMs ? (words[side + SIDE.HITS] ?? 0) : 0;
    words[side + SIDE.HITS] = Math.min(before + hits, 0x7fff_ffff);
    words[side + SIDE.LAST_HIT] = nowMs | 0;
  }

  /** Made once: a closure for each look-up would be garbage. */
  readonly #matches = (entry: number): boolean => {
    const { words, bytes, geometry } = this.#memory;
    const head = geometry.data + entry * CHUNK_WORDS;
    if (((words[head + ENTRY.OWNER] ?? 0) & OWNER_KEY_MASK) !== this.#owner) return false;
    if (words[head + ENTRY.KIND] !== this.#kind) return false;
    const bits = (words[head + ENTRY.BITS] ?? 0) & (KEY_BITS | BITS.DENIAL);
    if (bits !== (this.#bits | this.#shareBit)) return false;
    const at = nameAt(this.#memory, entry);
    if (at < 0) return this.#hasNameInPieces(entry, head);
    for (let i = 0; i < this.nameLength; i++) if (bytes[at + i] !== this.nameBytes[i]) return false;
    return true;
  };

  #hasNameInPieces(entry: number, head: number): boolean {
    const from = placeWords(this.#recordCount(head));
    const { bytes } = this.#memory;
    for (let i = 0; i < this.nameLength; i++) {
      const at = 4 * this.#wordAt(entry, from + (i >> 2)) + (i & 3);
      if (bytes[at] !== this.nameBytes[i]) return false;
    }
    return true;
  }

  #nameLength(head: number): number {
    return ((this.#memory.words[head + ENTRY.OWNER] ?? 0) >>> NAME_LENGTH_SHIFT) & 0xff;
  }

  #recordCount(head: number): number {
    const { words } = this.#memory;
    const counts = words[head + ENTRY.COUNTS] ?? 0;
    return (counts & 0xffff) + (counts >>> 16) + ((words[head + ENTRY.EXTENT] ?? 0) & 0xffff);
  }

  #markAt(entry: number): number {
    return 4 * this.#memory.geometry.data + 4 * entry * CHUNK_WORDS + MARK_BYTE;
  }

  /** Where the word lies that is so many words behind the head of an entry. */
  #wordAt(entry: number, word: number): number {
    const { words, geometry } = this.#memory;
    if (word < FIRST_STREAM_WORDS) return geometry.data + entry * CHUNK_WORDS + ENTRY.STREAM + word;
    let chunk = words[geometry.data + entry * CHUNK_WORDS + ENTRY.NEXT] ?? 0;
    let left = word - FIRST_STREAM_WORDS;
    for (; left >= NEXT_STREAM_WORDS; left -= NEXT_STREAM_WORDS) {
      chunk = words[geometry.data + chunk * CHUNK_WORDS + ENTRY.NEXT] ?? 0;
    }
    return geometry.data + chunk * CHUNK_WORDS + 1 + left;
  }

  /** Bytes from so many behind the head of an entry. */
  #copy(entry: number, from: number, length: number, into: Uint8Array, at: number): void {
    const { words, bytes, geometry } = this.#memory;
    let chunk = entry;
    let start = 4 * (geometry.data + chunk * CHUNK_WORDS + ENTRY.STREAM);
    let room = 4 * FIRST_STREAM_WORDS;
    let skipped = from;
    let target = at;
    for (let left = length; left > 0; ) {
      const count = Math.min(left, room - skipped);
      for (let i = 0; i < count; i++) into[target + i] = bytes[start + skipped + i] ?? 0;
      if (count > 0) {
        target += count;
        left -= count;
        skipped = room;
      }
      skipped -= room;
      chunk = words[geometry.data + chunk * CHUNK_WORDS + ENTRY.NEXT] ?? 0;
      start = 4 * (geometry.data + chunk * CHUNK_WORDS + 1);
      room = 4 * NEXT_STREAM_WORDS;
    }
  }
}
