/** What the doctor says, as a value: `-o json` prints it as it stands. Fields are only ever added. */
import type { ObjectKey } from '../../cluster/rows.ts';
import type { Blind, CheckId, Finding, Fix } from '../check.ts';
import type { Place } from '../site/site.ts';

export interface Report {
  readonly version: 1;
  readonly origin: 'live' | 'manifests';
  /** RFC 3339. */
  readonly takenAt: string;
  readonly exitCode: 0 | 1 | 2;
  readonly nodes: readonly string[];
  /** Of those that were probed. */
  readonly pods: readonly PodVerdict[];
  /** What hurts most first. */
  readonly findings: readonly PlacedFinding[];
  readonly blind: readonly Blind[];
}

export interface PlacedFinding extends Finding {
  /** The same for the same fault in every run: what a script may remember. */
  readonly key: string;
  readonly place?: Place;
}

export type Verdict = 'ENTERED' | 'BYPASSED' | 'BROKEN' | 'UNKNOWN';

export interface PodVerdict {
  readonly pod: ObjectKey;
  readonly node: string;
  readonly verdict: Verdict;
  readonly sent: number;
  readonly entered: number;
  readonly elsewhere: number;
  readonly lost: number;
  readonly evidence: readonly string[];
  readonly cause: string;
  readonly fix?: Fix;
  /** The finding that the cause is taken from. */
  readonly because?: CheckId;
}
