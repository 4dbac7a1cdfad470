/**
 * The texts that come most often, in memory of fixed size (Space-Saving, as in flow/capture/top-clients.ts, where the keys
 * are addresses): a newcomer takes the place of the one with the fewest and its count with it, so counts are never too low.
 * Pods choose what they ask for: neither their number nor their length may cost more than is set here.
 */
export interface CountedText {
  readonly text: string;
  readonly count: number;
}

/** Beyond it a name cannot go on the wire with escapes (RFC 1035: 255 octets, four characters each). */
const LONGEST = 1024;

export class TopTexts {
  readonly #counts = new Map<string, number>();
  readonly #places: number;

  constructor(places: number) {
    this.#places = places;
  }

  add(text: string, count = 1): void {
    const key = text.length > LONGEST ? text.slice(0, LONGEST) : text;
    const known = this.#counts.get(key);
    if (known !== undefined) {
      this.#counts.set(key, known + count);
      return;
    }
    this.#counts.set(key, (this.#counts.size < this.#places ? 0 : this.#dropLeast()) + count);
  }

  /** Most first; those with the same count in the order of the alphabet. */
  list(most: number): readonly CountedText[] {
    return [...this.#counts]
      .map(([text, count]) => ({ text, count }))
      .sort((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1))
      .slice(0, most);
  }

  #dropLeast(): number {
    let least: string | undefined;
    let count = Number.POSITIVE_INFINITY;
    for (const [text, own] of this.#counts) {
      if (own >= count) continue;
      least = text;
      count = own;
      // Nobody has fewer, and walking past all of them for every newcomer would be what an attacker asks for.
      if (own === 1) break;
    }
    if (least !== undefined) this.#counts.delete(least);
    return count;
  }
}
