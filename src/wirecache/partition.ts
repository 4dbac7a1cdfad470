/**
 * The answers of one `cache` plugin within the vault: how many it may hold, and who of its own goes when that is
 * reached. Each share has its own list, so that a flood of denials costs no success.
 */
import type { AnswerKey, Partition, PartitionSpec, Share, StoredAnswer, WireAnswer } from './contract.ts';
import { entryName, nameAt, readAnswer, readKey } from './entry.ts';
import { CHUNK_BYTES, MARKS, SIDE, SIDE_WORDS } from './layout.ts';
import { NameSet } from './name-set.ts';
import { RecentPurges } from './recent-purges.ts';
import { SieveList } from './sieve-list.ts';
import type { Owner, Vault } from './vault.ts';

/** Room per entry, on average: a few answers of 64 KiB fit beside many small ones, a cache full of them does not. */
const CHUNKS_PER_ENTRY = 1024 / CHUNK_BYTES;

export class WirePartition implements Partition, Owner {
  readonly id: number;
  readonly lists: Readonly<Record<Share, SieveList>>;
  readonly chunks: Record<Share, number> = { success: 0, denial: 0 };
  readonly spec: PartitionSpec;
  readonly #vault: Vault;
  readonly #onClosed: () => void;
  readonly #recent = new RecentPurges();
  /** While this partition stores: how many of its own had to go. */
  #evicted: Record<Share, number> | undefined;
  #isClosed = false;

  constructor(vault: Vault, spec: PartitionSpec, { id, onClosed }: { id: number; onClosed: () => void }) {
    this.id = id;
    this.spec = spec;
    this.#vault = vault;
    this.#onClosed = onClosed;
    const list = () =>
      new SieveList(vault.memory, { older: SIDE.OLDER, newer: SIDE.NEWER, mark: MARKS.SHARE });
    this.lists = { success: list(), denial: list() };
    vault.admit(this);
  }

  get entries(): Readonly<Record<Share, number>> {
    return { success: this.lists.success.size, denial: this.lists.denial.size };
  }

  lookup(key: AnswerKey, share: Share): StoredAnswer | undefined {
    const entry = this.#find(key, share);
    if (entry === 0) return undefined;
    this.#vault.markUsed(entry);
    return readAnswer(this.#vault.memory, entry);
  }

  countHit(key: AnswerKey, share: Share, nowMs: number): number {
    const { prefetch } = this.spec;
    const entry = prefetch === undefined ? 0 : this.#find(key, share);
    if (prefetch === undefined || entry === 0) return 0;
    const { words, geometry } = this.#vault.memory;
    const side = geometry.side + entry * SIDE_WORDS;
    const pause = ((nowMs | 0) - (words[side + SIDE.LAST_HIT] ?? 0)) | 0;
    const before = words[side + SIDE.HITS] ?? 0;
    const hits = pause >= 0 && pause < prefetch.gapMs ? before + 1 : 1;
    words[side + SIDE.HITS] = hits;
    words[side + SIDE.LAST_HIT] = nowMs | 0;
    return hits;
  }

  insert(key: AnswerKey, share: Share, answer: WireAnswer): Readonly<Record<Share, number>> {
    const evicted = { success: 0, denial: 0 };
    if (this.#isClosed) return evicted;
    const prepared = this.#vault.prepareKey(this.id, key);
    const measured = this.#vault.prepareAnswer(prepared, answer);
    const before = this.#vault.find(prepared, share);
    if (measured.chunks > this.#limit(share) * CHUNKS_PER_ENTRY) {
      if (before !== 0) this.#vault.takeOut(before);
      return evicted;
    }
    this.#evicted = evicted;
    if (before !== 0) this.#vault.unlist(before);
    this.#makeRoom(share, measured.chunks);
    this.#vault.store(this, { key: prepared, share, prepared: measured, before });
    this.#evicted = undefined;
    return evicted;
  }

  remove(key: AnswerKey, share: Share): void {
    const entry = this.#find(key, share);
    if (entry !== 0) this.#vault.takeOut(entry);
  }

  purge(names: readonly AnswerKey['name'][]): number {
    this.distrust(names);
    const set = new NameSet(names);
    const purged = [...this.#all()].filter((entry) => this.#isNamed(entry, set));
    for (const entry of purged) this.#vault.takeOut(entry);
    return purged.length;
  }

  distrust(names: readonly AnswerKey['name'][]): void {
    this.#recent.add(names);
  }

  get purges(): number {
    return this.#recent.count;
  }

  isOutdated(name: AnswerKey['name'], since: number): boolean {
    return this.#recent.hasTouched(name, since);
  }

  /** All at once: entries come and go while a caller takes its time. */
  list(): Iterable<{ key: AnswerKey; answer: StoredAnswer }> {
    const { memory } = this.#vault;
    return Array.from(this.#all(), (entry) => ({
      key: readKey(memory, entry),
      answer: readAnswer(memory, entry),
    }));
  }

  close(): void {
    this.#isClosed = true;
    this.#vault.dismiss(this);
    this.#onClosed();
  }

  onEvicted(share: Share): void {
    if (this.#evicted !== undefined) this.#evicted[share]++;
    else this.spec.onCrowdedOut?.(share);
  }

  #isNamed(entry: number, set: NameSet): boolean {
    const { memory } = this.#vault;
    const at = nameAt(memory, entry);
    return at < 0 ? set.holds(entryName(memory, entry)) : set.holds(memory.bytes, at);
  }

  #find(key: AnswerKey, share: Share): number {
    return this.#vault.find(this.#vault.prepareKey(this.id, key), share);
  }

  #makeRoom(share: Share, chunks: number): void {
    const list = this.lists[share];
    const limit = this.#limit(share);
    while (list.size >= limit || this.chunks[share] + chunks > limit * CHUNKS_PER_ENTRY) {
      const victim = list.sift();
      if (victim === 0) break;
      this.#vault.evict(victim);
    }
  }

  #limit(share: Share): number {
    return share === 'success' ? this.spec.successEntries : this.spec.denialEntries;
  }

  *#all(): Iterable<number> {
    for (const list of [this.lists.success, this.lists.denial]) {
      for (let entry = list.oldest; entry !== 0; entry = list.newerThan(entry)) yield entry;
    }
  }
}
