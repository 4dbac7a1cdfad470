/**
 * What was purged lately, for answers that were being fetched meanwhile: they may say what was true before, and must not
 * come back for their whole TTL. Only so many purges are remembered; whoever took longer than that is not believed.
 */
import type { Name } from '../dns/name.ts';
import { encodeLowerName } from './name-bytes.ts';
import { NameSet } from './name-set.ts';

/** A cluster changes some ten times a second at worst, and most answers come within a second. */
const MOST_PURGES = 32;
/** A purge of more names than this stands for a purge of all. */
const MOST_NAMES = 1024;

export class RecentPurges {
  /** So far. */
  #count = 0;
  /** By number, modulo `MOST_PURGES`; undefined: all names. */
  readonly #sets: (NameSet | undefined)[] = [];

  get count(): number {
    return this.#count;
  }

  add(names: readonly Name[]): void {
    this.#sets[this.#count % MOST_PURGES] = names.length > MOST_NAMES ? undefined : new NameSet(names);
    this.#count++;
  }

  /** Whether the name, or one above it, may have been purged since there were `count` purges. */
  hasTouched(name: Name, count: number): boolean {
    if (this.#count === count) return false;
    if (this.#count - count > MOST_PURGES) return true;
    const bytes = encodeLowerName(name);
    for (let i = count; i < this.#count; i++) {
      if (this.#sets[i % MOST_PURGES]?.holds(bytes) ?? true) return true;
    }
    return false;
  }
}
