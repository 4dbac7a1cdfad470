/** How many queries went to each address outside of the cluster in its busiest second. Seconds are those of the clock. */
import { type Ip, parseIp } from '../../../net/ip.ts';

const PLACES = 256;

interface Load {
  second: number;
  count: number;
  peak: number;
}

export class UpstreamPeaks {
  readonly #loads = new Map<string, Load>();

  add(address: string, atMs: number): void {
    const second = Math.floor(atMs / 1000);
    const load = this.#loads.get(address) ?? this.#enter(address, second);
    if (second > load.second) {
      load.second = second;
      load.count = 0;
    }
    // Flows of several processors may be told a little out of order; a second that is over is not opened again.
    load.count++;
    load.peak = Math.max(load.peak, load.count);
  }

  /** Highest first. */
  list(most: number): readonly { readonly address: Ip; readonly perSecond: number }[] {
    return [...this.#loads]
      .flatMap(([text, { peak }]) => {
        const address = parseIp(text);
        return address === undefined ? [] : [{ address, perSecond: peak }];
      })
      .sort((a, b) => b.perSecond - a.perSecond)
      .slice(0, most);
  }

  /** Pods choose whom they ask: where there are too many, the least busy one is forgotten. */
  #enter(address: string, second: number): Load {
    if (this.#loads.size >= PLACES) {
      const [least] = [...this.#loads].reduce((a, b) => (b[1].peak < a[1].peak ? b : a));
      this.#loads.delete(least);
    }
    const load = { second, count: 0, peak: 0 };
    this.#loads.set(address, load);
    return load;
  }
}
