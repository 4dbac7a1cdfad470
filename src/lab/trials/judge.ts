/** A trial's losses against its bar. Pure. */
import { type ClientTally, type LostQuery, quantileMs } from '../load/client-tally.ts';
import type { Happening, Outcome, Trial } from './trial.ts';

export interface Verdict {
  readonly trial: string;
  readonly sent: number;
  readonly lost: number;
  /** On a new connection, because the server had closed the one they were asked on. */
  readonly askedAgain: number;
  /** Milliseconds after the happening it belongs to at which the last lost query was sent; negative: before it. */
  readonly lastLossMs?: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What broke the bar, in words; empty when nothing did. */
  readonly complaints: readonly string[];
}

const SHOWN = 5;

export function judge(
  trial: Trial,
  { happenings, complaints = [] }: Pick<Outcome, 'happenings' | 'complaints'>,
  tally: ClientTally,
): Verdict {
  const offsets = tally.lost.map((query) => ({ query, offset: offsetMs(query, happenings) }));
  const { before, after } = trial.mayLose ?? { before: 0, after: Number.NEGATIVE_INFINITY };
  const stray = offsets.filter(({ offset }) => offset < -before || offset > after);
  const last = offsets.reduce((max, { offset }) => Math.max(max, offset), Number.NEGATIVE_INFINITY);
  const unlisted = tally.sent - tally.answered - tally.lost.length;
  return {
    trial: trial.name,
    sent: tally.sent,
    lost: tally.sent - tally.answered,
    askedAgain: tally.askedAgain,
    ...(offsets.length === 0 ? {} : { lastLossMs: last }),
    p50Ms: quantileMs(tally, 0.5),
    p99Ms: quantileMs(tally, 0.99),
    complaints: [
      ...(tally.sent === 0 ? ['nothing was asked'] : []),
      ...(unlisted > 0 ? [`${unlisted} more were lost than are listed`] : []),
      ...(stray.length > SHOWN ? [`${stray.length} queries were lost that should not have been`] : []),
      ...complaints,
      ...stray.slice(0, SHOWN).map(({ query, offset }) => complaint(query, offset)),
    ],
  };
}

/** From the happening before it, or to the first one when there is none; of two that are near, the nearer. */
function offsetMs({ sentAtMs }: LostQuery, happenings: readonly Happening[]): number {
  const offsets = happenings.map(({ atMs }) => sentAtMs - atMs);
  return offsets.reduce(
    (best, offset) => (Math.abs(offset) < Math.abs(best) ? offset : best),
    offsets[0] ?? Number.POSITIVE_INFINITY,
  );
}

function complaint({ transport, cause }: LostQuery, offset: number): string {
  const when = offset < 0 ? `${(-offset).toFixed(0)} ms before` : `${offset.toFixed(0)} ms after`;
  return `a query over ${transport} was lost (${cause}) that was sent ${when} the nearest happening`;
}
