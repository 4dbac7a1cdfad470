/**
 * One part of the queries, for readers who cannot take all: a short while out of each second, at a place that is another in
 * each second, so that nothing which comes at fixed times is always in it or never, and the same on every node, so that what
 * different nodes saw of one query is together. An answer belongs to the moment of its query: slow ones are not left out.
 * What a server asks on for a query is a query of its own, asked a moment later: at the very end of a part it is missed.
 */
const SECOND_NS = 1_000_000_000;
export const MOST_ONE_IN = 1000;

/** Whether what was asked at a moment, nanoseconds since the epoch, is in the sample. */
export function createSample(oneIn: number): (askedNs: bigint) => boolean {
  const lengthNs = SECOND_NS / oneIn;
  return (askedNs) => {
    const second = Number(askedNs / BigInt(SECOND_NS));
    // What would reach beyond the second's end is at its beginning: else what comes at full seconds would hardly be seen.
    const afterNs = Number(askedNs % BigInt(SECOND_NS)) - fractionOf(second) * SECOND_NS;
    return (afterNs < 0 ? afterNs + SECOND_NS : afterNs) < lengthNs;
  };
}

/** From 0 to 1, scattered; any two computers agree (integer arithmetic of 32 bits alone). */
function fractionOf(second: number): number {
  let hash = Math.imul(second ^ (second >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
}
