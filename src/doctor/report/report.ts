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
  /** What each of them is, in their order; empty for manifests. */
  readonly about: readonly NodeAbout[];
  /** Nodes of which nothing is said here, and how to have it said. */
  readonly notLookedAt: readonly NotLookedAt[];
  /** Pods that were to be probed and could not be. */
  readonly notProbed: readonly { readonly pod: ObjectKey; readonly node: string; readonly reason: string }[];
  /** Of those that were probed. */
  readonly pods: readonly PodVerdict[];
  /** What hurts most first. */
  readonly findings: readonly PlacedFinding[];
  readonly blind: readonly Blind[];
}

export interface NodeAbout {
  readonly node: string;
  /** As of uname. */
  readonly kernel?: string;
  /** `iptables`, `nftables`, `ipvs`, `none`. */
  readonly proxy?: string;
  /** `cilium 1.18.1, replaces kube-proxy`. */
  readonly cni?: string;
  /** Version of its zerohop agent. */
  readonly agent?: string;
  /** `off`, or of how many pods: `5 of 6 pods`. */
  readonly kernelAnswers?: string;
}

export interface NotLookedAt {
  readonly node: string;
  readonly reason: string;
  /** What to run for it, where one can be said. */
  readonly command?: string;
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
