/**
 * Names that DNS answers gave for addresses, for flows that go to those addresses afterwards (spec hubble 6.3, fields 13 and
 * 14). Per client: what one pod was told, truly or by a server of its own, names nothing in another pod's flows. Bounded:
 * pods decide how many names they ask for.
 */
import type { Ip } from '../net/ip.ts';

const MOST_ADDRESSES = 8192;
const MOST_NAMES = 4;

export class LearnedNames {
  /** By client and address, the longest unused first. */
  readonly #names = new Map<string, readonly string[]>();

  /** `name` as it was asked for. */
  learn(client: Ip, name: string, addresses: readonly string[]): void {
    const plain = name.toLowerCase().replace(/\.$/, '');
    for (const address of addresses) {
      const key = `${client} ${address}`;
      const others = (this.#names.get(key) ?? []).filter((known) => known !== plain);
      this.#names.delete(key);
      this.#names.set(key, [plain, ...others].slice(0, MOST_NAMES));
    }
    for (const key of this.#names.keys()) {
      if (this.#names.size <= MOST_ADDRESSES) break;
      this.#names.delete(key);
    }
  }

  /** The latest first, without the trailing dot. */
  namesOf(client: Ip, address: Ip): readonly string[] {
    return this.#names.get(`${client} ${address}`) ?? [];
  }
}
