/** What a trial is: something that happens to a running cluster under load, and what may be lost by it. */
import type { ClientTally } from '../load/client-tally.ts';
import type { Stage } from './stage.ts';

/** Something the trial did, at a moment. */
export interface Happening {
  readonly what: string;
  /** Milliseconds since the epoch, with fractions. */
  readonly atMs: number;
}

export interface Outcome {
  readonly happenings: readonly Happening[];
  /** Of clients that the trial itself had ask. */
  readonly tallies?: readonly ClientTally[];
  /** What else is wrong, in words. */
  readonly complaints?: readonly string[];
}

export interface Trial {
  readonly name: string;
  readonly what: string;
  /**
   * Milliseconds around a happening in which a query may be lost, because it was in the hands of a process that ended or
   * hung: sent up to `before` earlier or up to `after` later. Absent: not one may be lost.
   */
  readonly mayLose?: { readonly before: number; readonly after: number };
  /** A client that takes no part in the load, because something happens to it. */
  readonly spared?: string;
  /** The clients are those whose names the kernel answers, over UDP alone. */
  readonly answered?: true;
  /** Does it, and resolves once the cluster is as it was; the load goes on for a moment after. */
  readonly run: (stage: Stage) => Promise<Outcome>;
}
