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
  /** Of the clock that never jumps (`CLOCK_MONOTONIC`, milliseconds). */
  readonly storedMs: number;
}

export interface StoredAnswer extends WireAnswer {
  readonly share: Share;
  /** Hits since it was stored, by packet threads as well; kept only where the partition fetches ahead. */
  readonly hits: number;
}

export interface PartitionSpec {
  /** Entries of each share, as the Corefile says. */
  readonly successEntries: number;
  readonly denialEntries: number;
  /** Hits show the TTL that was stored. */
  readonly keepTtl: boolean;
  /** An entry with no more than this share of its TTL left is left to the main thread, which fetches it anew. */
  readonly prefetchPercent: number | undefined;
}

/** The answers of one `cache` plugin. */
export interface Partition {
  /** Unique among the live ones of the process. */
  readonly id: number;
  readonly entries: Readonly<Record<Share, number>>;
  /** Expired entries are given back too: whether they are of use is the caller's judgement. Counts as a use. */
  lookup(key: AnswerKey, share: Share): StoredAnswer | undefined;
  /** Replaces what stood under the key in this share. Returns how many others had to go, by share. */
  insert(key: AnswerKey, share: Share, answer: WireAnswer): Readonly<Record<Share, number>>;
  remove(key: AnswerKey, share: Share): void;
  /** Forgets these names and all below them; returns how many entries went. */
  purge(names: readonly Name[]): number;
  list(): Iterable<{ readonly key: AnswerKey; readonly answer: StoredAnswer }>;
  /** Gives the memory back. Nothing may be called afterwards. */
  close(): void;
}

export interface AnswerCache {
  /** Bytes that entries of all partitions may take, index included. */
  readonly budgetBytes: number;
  readonly usedBytes: number;
  open(spec: PartitionSpec): Partition;
}
