/**
 * What one client of a trial has to say: every query that was lost, and how many were not. A million answered queries are
 * one number and a histogram.
 */
export type Transport = 'udp' | 'tcp' | 'tcp-kept';

export interface LostQuery {
  readonly transport: Transport;
  /** Milliseconds since the epoch, with fractions. */
  readonly sentAtMs: number;
  readonly cause: string;
}

export interface ClientTally {
  readonly sent: number;
  readonly answered: number;
  /** Of those that were answered: asked a second time, on a new connection in the place of one that was closed. */
  readonly askedAgain: number;
  /** At most MAX_LOSSES of them; `sent - answered` is how many there were. */
  readonly lost: readonly LostQuery[];
  /** Answers by time taken: entry i counts those of i to i+1 tenths of a millisecond, the last one all that is longer. */
  readonly tenths: readonly number[];
}

/** A trial that loses more has failed long ago. */
const MAX_LOSSES = 20_000;
/** One second, after which a query is lost. */
const BUCKETS = 10_001;

export class TallyBook {
  readonly #lost: LostQuery[] = [];
  readonly #tenths = new Uint32Array(BUCKETS);
  #sent = 0;
  #answered = 0;
  #askedAgain = 0;

  add(
    transport: Transport,
    result: { sentAtMs: number; tookMs?: number; cause?: string; askedAgain?: true },
  ): void {
    this.#sent++;
    if (result.tookMs === undefined) {
      const { sentAtMs, cause = 'timeout' } = result;
      if (this.#lost.length < MAX_LOSSES) this.#lost.push({ transport, sentAtMs, cause });
      return;
    }
    this.#answered++;
    if (result.askedAgain) this.#askedAgain++;
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor(result.tookMs * 10)));
    this.#tenths[bucket] = (this.#tenths[bucket] ?? 0) + 1;
  }

  tally(): ClientTally {
    return {
      ...{ sent: this.#sent, answered: this.#answered, askedAgain: this.#askedAgain },
      ...{ lost: this.#lost, tenths: trimmed(this.#tenths) },
    };
  }
}

function trimmed(counts: Uint32Array): readonly number[] {
  return [...counts.subarray(0, counts.findLastIndex((count) => count > 0) + 1)];
}

export function sumTallies(tallies: readonly ClientTally[]): ClientTally {
  const tenths: number[] = [];
  for (const tally of tallies) {
    tally.tenths.forEach((count, i) => {
      tenths[i] = (tenths[i] ?? 0) + count;
    });
  }
  return {
    sent: tallies.reduce((sum, { sent }) => sum + sent, 0),
    answered: tallies.reduce((sum, { answered }) => sum + answered, 0),
    askedAgain: tallies.reduce((sum, { askedAgain }) => sum + askedAgain, 0),
    lost: tallies.flatMap(({ lost }) => lost).sort((a, b) => a.sentAtMs - b.sentAtMs),
    tenths: [...tenths].map((count) => count ?? 0),
  };
}

/** Milliseconds within which `share` (0 to 1) of the answers came. */
export function quantileMs({ tenths, answered }: ClientTally, share: number): number {
  let seen = 0;
  for (const [i, count] of tenths.entries()) {
    seen += count;
    if (seen >= answered * share) return (i + 1) / 10;
  }
  return 0;
}
