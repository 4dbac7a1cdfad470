/**
 * The answers of the process in one piece of shared memory. The main thread is the only writer; packet threads look up
 * and copy. Answers are kept as wire bytes, ready to be appended to a question. What may be kept, for how long and for
 * whom is the `cache` plugin's to say; here is where it lies, who has to go when room runs out, and how a packet is
 * answered from it.
 */
import type { Name } from '../dns/name.ts';

/** Everything that may change an answer. Compared whole: two questions never share an entry. */
export interface AnswerKey {
  /** Any case. */
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

export type Share = 'success' | 'denial';

/** An answer as it is put in and given back: sections in wire form, uncompressed, with the question left out. */
export interface WireAnswer {
  /** 4 bits: answers with an extended rcode are not kept. */
  readonly rcode: number;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  /** SERVFAIL or NOTIMP: gives way to an answer that is still good. */
  readonly serverError: boolean;
  readonly counts: { readonly answers: number; readonly authorities: number; readonly additionals: number };
  /** Answer, authority, additional, without OPT; every TTL is `ttlSeconds`. Owned by the receiver. */
  readonly records: Uint8Array;
  readonly ttlSeconds: number;
  /** Of the clock that never jumps, as the main thread reads it (`Clock.monotonicMs`), milliseconds. */
  readonly storedMs: number;
}

export interface StoredAnswer extends WireAnswer {
  readonly share: Share;
  /** Hits no further apart than the partition's gap, by packet threads as well; 0 where nothing is fetched ahead. */
  readonly hits: number;
}

export interface PrefetchSpec {
  /** Hits from which on an answer is worth fetching ahead; at least 1. */
  readonly hits: number;
  /** A longer pause between two hits starts the count again. */
  readonly gapMs: number;
  /** An entry with no more than this share of its TTL left is due: packet threads leave it to the main thread. */
  readonly percent: number;
}

export interface PartitionSpec {
  /** Entries of each share, as the Corefile says. */
  readonly successEntries: number;
  readonly denialEntries: number;
  /** Hits show the TTL that was stored. */
  readonly keepTtl: boolean;
  /** Undefined when nothing is fetched ahead: then hits are not counted. */
  readonly prefetch: PrefetchSpec | undefined;
  /** Where there is both a success and a denial, the main thread decides, expired or not. Default false. */
  readonly positiveFirst?: boolean;
  /** An entry went because another partition needed its room. */
  readonly onCrowdedOut?: (share: Share) => void;
}

/** The answers of one `cache` plugin. */
export interface Partition {
  /** 1 to 65535, unique among the live ones of the process. */
  readonly id: number;
  readonly entries: Readonly<Record<Share, number>>;
  /** Expired entries are given back too: whether they are of use is the caller's judgement. Counts as a use. */
  lookup(key: AnswerKey, share: Share): StoredAnswer | undefined;
  /** Counts a hit on what `lookup` would give and returns the count; 0 where nothing is fetched ahead. */
  countHit(key: AnswerKey, share: Share, nowMs: number): number;
  /**
   * Replaces what stood under the key in this share. Returns how many others of this partition had to go, by share. What
   * is too large, and what finds no room because packet threads still read what went, is not kept.
   */
  insert(key: AnswerKey, share: Share, answer: WireAnswer): Readonly<Record<Share, number>>;
  remove(key: AnswerKey, share: Share): void;
  /** Forgets these names and all below them, as `distrust` does too; returns how many entries went. */
  purge(names: readonly Name[]): number;
  /** What is being fetched for these names, and for all below them, may be of yesterday: see `isOutdated`. */
  distrust(names: readonly Name[]): void;
  /** How often `purge` and `distrust` were called. */
  readonly purges: number;
  /** Whether an answer for the name, asked for when `purges` was `since`, must not be kept. May err towards true. */
  isOutdated(name: Name, since: number): boolean;
  list(): Iterable<{ readonly key: AnswerKey; readonly answer: StoredAnswer }>;
  /** Gives the memory back. Whoever still comes late finds it empty, and keeps nothing in it. */
  close(): void;
}

/** One zone of one listener. */
export interface RouteSpec {
  /** Lower case, fully qualified. */
  readonly zone: Name;
  /** Undefined: the main thread answers whatever is asked under this zone. */
  readonly replay: ReplaySpec | undefined;
}

export interface ReplaySpec {
  /** A live partition's id. */
  readonly partition: number;
  /** Addresses and mail servers come in random order (dns-server 3.10). */
  readonly shuffle: boolean;
  /** Clients that advertise more than this many bytes are left to the main thread. */
  readonly limitBytes: number | undefined;
  /** Answers are counted, for `Route.takeTotals`. */
  readonly counted: boolean;
}

/** A route in force, and for a while after it was replaced. */
export interface Route {
  /** What packet threads know it by: `PacketAnswerer.lastRoute`. */
  readonly id: number;
  /** What it adds up to since the last call; undefined when that is nothing. */
  takeTotals(): RouteTotals | undefined;
}

/** Of answers that packet threads gave: the sums that the metrics of dns-server section 8 are made of. */
export interface RouteTotals {
  readonly transport: 'udp';
  /** By `1` and `2`, then by query type; 0 stands for the types that have no label of their own. */
  readonly requests: readonly { readonly family: '1' | '2'; readonly type: number; readonly count: number }[];
  readonly rcodes: readonly { readonly rcode: number; readonly count: number }[];
  readonly doRequests: number;
  /** Upper bound of the bucket they fall in, `Infinity` for the last. */
  readonly requestSizes: readonly { readonly upTo: number; readonly count: number }[];
  readonly requestBytes: number;
  readonly responseSizes: readonly { readonly upTo: number; readonly count: number }[];
  readonly responseBytes: number;
  readonly durations: readonly { readonly upToSeconds: number; readonly count: number }[];
  readonly durationSeconds: number;
  readonly successHits: number;
  readonly denialHits: number;
}

/** Who keeps a copy of what the cache would answer. */
export interface CacheMirror {
  /**
   * What stands under the key of this entry is no longer what it was: it came, was replaced, or has just gone. Called in the
   * same turn, once the cache is as it is now; the entry itself can still be read. The cache must not be changed from here.
   */
  changed(entry: number): void;
}

/**
 * Entries where they lie, by number; 0 is none. A number is good for as long as the turn lasts, and beyond it for whoever
 * is told of changes: until the entry's key changes.
 */
export interface EntrySource {
  /** Sets of the index. When it has grown since, whoever walks through them has to begin again. */
  readonly sets: number;
  /** Puts the entries of a set into `into`, which has room for `SET_SLOTS`, and returns how many there are. */
  entriesOf(set: number, into: Int32Array): number;
  /** Undefined when there is no such partition any more. */
  specOf(partition: number): PartitionSpec | undefined;
  /** Fills in the fields of the key. */
  readKey(entry: number): void;
  readonly partition: number;
  readonly type: number;
  readonly class: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  /** On the wire, in lower case; bytes behind `nameLength` in the last word are zero. */
  readonly name: Int32Array;
  readonly nameBytes: Uint8Array;
  readonly nameLength: number;
  /** The entry under the key that was read last. */
  find(share: Share): number;
  /** Fills in the fields below. */
  readAnswer(entry: number): void;
  /** Last byte of the header's flags as it goes out, without CD. */
  readonly headerBits: number;
  readonly isServerError: boolean;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  readonly recordBytes: number;
  readonly ttlSeconds: number;
  readonly storedMs: number;
  /** Shuffling it would move more than data. */
  readonly isTangled: boolean;
  /** Shuffled by moving the data of so many records from this one on; count 0: there is nothing to shuffle. */
  readonly runFirst: number;
  readonly runCount: number;
  /** Where the TTL of a record of the answer stands, from the first record's first byte on. */
  ttlPlace(record: number): number;
  /** Copies all `recordBytes`. */
  copyRecords(into: Uint8Array, at: number): void;
  /** Since the hand of its partition passed. */
  wasUsed(entry: number): boolean;
  /** The entry was of use elsewhere: it stays longer, and the hits count as `Partition.countHit` would have counted them. */
  countUses(entry: number, hits: number, nowMs: number): void;
}

/** A reader's place: room that it may still be reading is not used again. */
export interface Seat {
  /** What the reader is made with. */
  readonly number: number;
  /** When the reader is gone for good, in whatever state it was. */
  close(): void;
}

export interface AnswerCache {
  /** What readers are made of; goes to packet threads as it is. */
  readonly shared: SharedArrayBuffer;
  /** Bytes that entries of all partitions may take, index included. */
  readonly budgetBytes: number;
  readonly usedBytes: number;
  open(spec: PartitionSpec): Partition;
  /** Undefined when all seats are taken. */
  openSeat(): Seat | undefined;
  /**
   * Replaces the routes of all listeners; a listener is known to the readers by its index here. Readers follow with
   * their next batch. Gives back the routes in the same order.
   */
  replaceRoutes(listeners: readonly (readonly RouteSpec[])[]): readonly (readonly Route[])[];
  /** There is one mirror or none: the one before hears no more. Where there is none, nothing is spent on it. */
  mirror(mirror: CacheMirror | undefined): EntrySource;
}

/** What every packet owns in the buffer that it lies in: the reply is built there. */
export const PACKET_SLOT_BYTES = 1536;

/** Answers packets where they lie. Belongs to one thread; allocates nothing. */
export interface PacketAnswerer {
  /** Before the first `answer` of a batch: from here on, what is read stays as it is. */
  begin(): void;
  /**
   * After the last one, and before the thread waits for anything. `nowMs` is of the clock of `answer`: every answer of the
   * batch is counted with what has passed since the batch's.
   */
  end(nowMs: number): void;
  /**
   * Builds the reply over the query of `length` bytes at `at` (a multiple of 4; `PACKET_SLOT_BYTES` from there on are the
   * packet's), and returns its length. 0: the query is untouched, and the main thread has to answer it. `listener` is an
   * index of `replaceRoutes`; `clientFamily` is 4 also for IPv4-mapped addresses; `nowMs` is of the clock of
   * `WireAnswer.storedMs`: a worker's own `performance.now()` starts elsewhere.
   */
  answer(at: number, length: number, listener: number, clientFamily: 4 | 6, nowMs: number): number;
  /** The route of the last reply. */
  readonly lastRoute: number;
}

export interface PacketAnswererOptions {
  readonly seat: number;
  /** Where the packets lie: any memory of the thread, its length a multiple of 4. */
  readonly packets: ArrayBufferLike;
  /** Uniform in [0, 1); drawn from once, to begin the order of addresses somewhere. */
  readonly random?: () => number;
}
