/**
 * Latencies in memory of fixed size: steps of a quarter of an octave from 1 µs on, so that a quantile is at most 19 % too
 * high and never too low, up to 16 s.
 */
const STEPS_AN_OCTAVE = 4;
export const HISTOGRAM_STEPS = 96;

/** Index of the step that holds so many milliseconds. */
export function latencyStep(ms: number): number {
  const step = Math.ceil(Math.log2(Math.max(ms, 0.001) * 1000) * STEPS_AN_OCTAVE);
  return Math.min(HISTOGRAM_STEPS - 1, Math.max(0, step));
}

/** Milliseconds below which the given share (0 to 1) of the counted lies; undefined when nothing is counted. */
export function quantile(counts: ArrayLike<number>, share: number): number | undefined {
  let total = 0;
  for (let i = 0; i < HISTOGRAM_STEPS; i++) total += counts[i] ?? 0;
  if (total === 0) return undefined;
  const wanted = Math.max(1, Math.ceil(total * share));
  let seen = 0;
  for (let i = 0; i < HISTOGRAM_STEPS; i++) {
    seen += counts[i] ?? 0;
    if (seen >= wanted) return stepMs(i);
  }
  return stepMs(HISTOGRAM_STEPS - 1);
}

function stepMs(step: number): number {
  return 2 ** (step / STEPS_AN_OCTAVE) / 1000;
}
