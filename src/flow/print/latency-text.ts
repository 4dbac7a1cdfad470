/** How long a query took, for people: an answer of the kernel takes a thousandth of what an upstream does. */

const EXACT_BELOW_US = 99.95;
const MICROSECONDS_BELOW = 999.5;

/** `2.1 us`, `640 us`, and `12.34 ms` from a millisecond on. */
export function latencyText(ns: bigint | number): string {
  const microseconds = Number(ns) / 1e3;
  if (microseconds >= MICROSECONDS_BELOW) return `${(microseconds / 1e3).toFixed(2)} ms`;
  return `${microseconds.toFixed(microseconds < EXACT_BELOW_US ? 1 : 0)} us`;
}
