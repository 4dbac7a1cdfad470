/**
 * What a check is and what it finds. A check is a function of a `Site` alone: it opens no file and no socket and asks no
 * clock, so a site saved by somebody else is judged here as it was there.
 */
import type { ObjectKey } from '../cluster/rows.ts';
import type { AgentFacts } from './site/agent-facts.ts';
import type { ClusterFacts } from './site/cluster-facts.ts';
import type { NodeFacts } from './site/node-facts.ts';
import type { Site } from './site/site.ts';

/** Stable for ever: D01 to D25 as planned, later ones numbered on. A number is never used for something else. */
export type CheckId = `D${number}`;

/**
 * `broken`: queries of somebody go unanswered. `bypassed`: they are answered, and not by the cache that is there for them.
 * `warning`: it will hurt. `info`: it looks wrong and is not.
 */
export type Severity = 'broken' | 'bypassed' | 'warning' | 'info';

export interface Fix {
  readonly kind: 'command' | 'yaml' | 'text';
  readonly text: string;
}

export interface Finding {
  readonly id: CheckId;
  readonly severity: Severity;
  /** What is wrong, in one line without names that change from one run to the next. */
  readonly title: string;
  readonly node?: string;
  /** The pod that suffers. */
  readonly pod?: ObjectKey;
  /** The object that is at fault, by `objectName`. */
  readonly object?: string;
  /** What was seen, each a line that somebody else can look up. */
  readonly evidence: readonly string[];
  readonly cause: string;
  readonly fix: Fix;
}

/** Why a check could not say anything, of the cluster or of one node. */
export interface Blind {
  readonly id: CheckId;
  readonly node?: string;
  readonly reason: string;
  /** The node has no zerohop agent, and only one could tell: that is how the node is, and nothing the doctor failed at. */
  readonly withoutAgent?: true;
}

/** Parts without which a check would guess. What it can do without, it asks for by `knownOr`. */
export interface Needs {
  readonly cluster?: readonly (keyof ClusterFacts)[];
  /** Nodes of which one of these is not known are left out of the site that the check is given. */
  readonly node?: readonly (keyof NodeFacts)[];
  readonly agent?: readonly (keyof AgentFacts)[];
}

export interface Check {
  readonly id: CheckId;
  readonly title: string;
  /** Of the users' table: P1 ... P32. */
  readonly pains: readonly string[];
  readonly needs: Needs;
  run(site: Site): readonly Finding[] | Promise<readonly Finding[]>;
}
