/** Two clocks read at one moment: from then on one can be told from the other, as long as both run alike. */

/** The narrowest of some looks: between two readings the thread may have been put aside. */
const LOOKS = 16;

export interface TwoTimes {
  /** Of the first clock. */
  readonly ms: number;
  /** CLOCK_MONOTONIC. */
  readonly ns: bigint;
}

/** Good to a microsecond, which is what the clocks of JavaScript are. */
export function readTogether(clockMs: () => number, monotonicNs: () => bigint): TwoTimes {
  let best: TwoTimes | undefined;
  let narrowest = 0n;
  for (let i = 0; i < LOOKS; i++) {
    const before = monotonicNs();
    const ms = clockMs();
    const width = monotonicNs() - before;
    if (best !== undefined && width >= narrowest) continue;
    narrowest = width;
    best = { ms, ns: before + width / 2n };
  }
  return best as TwoTimes;
}
