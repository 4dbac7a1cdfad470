/**
 * The caches of this node, for telling which queries passed them by: what redirects have as backends, and what they had since
 * the agent began. A query that entered a cache entered it, though its policy is gone when somebody asks.
 */
import { createLocalCaches, type LocalCaches } from '../../flow/filter/bypassed.ts';
import type { Backend, Frontend } from '../../policy/table.ts';

type Place = Pick<Backend, 'address' | 'port'>;

/** Those of last are kept: a cache that restarts often has a new address each time. */
const MOST_CACHES = 1024;

export class KnownCaches {
  /** Longest known first. */
  readonly #places = new Map<string, Place>();
  #now: LocalCaches | undefined;

  constructor(redirects: readonly Frontend[]) {
    this.add(redirects);
  }

  add(redirects: readonly Pick<Frontend, 'backends'>[]): void {
    let isNew = false;
    for (const { address, port } of redirects.flatMap(({ backends }) => backends)) {
      const key = `${address} ${port}`;
      isNew = !this.#places.delete(key) || isNew;
      this.#places.set(key, { address, port });
    }
    while (this.#places.size > MOST_CACHES) this.#places.delete(this.#places.keys().next().value ?? '');
    if (isNew) this.#now = undefined;
  }

  get now(): LocalCaches {
    this.#now ??= createLocalCaches(this.#places.values());
    return this.#now;
  }
}
