/**
 * What the server tells the page, as JSON. Types alone: the page runs in a browser and imports nothing of ours but this and
 * its own folder. Text in here may come from DNS packets and is shown as text, never as markup.
 */
/** `dropped`: the kernel threw a packet of it away, and no answer was seen. */
export type QueryOutcome = 'entered' | 'fell-back' | 'bypassed' | 'dropped';

/** The arrows of the drawing, in the order in which `WireWay.edges` has them. */
export type EdgeName =
  | 'pod-hook'
  | 'hook-cache'
  | 'hook-cluster'
  | 'hook-upstream'
  | 'cache-cluster'
  | 'cache-upstream'
  | 'cluster-upstream'
  | 'hook-kernel';

export interface WireEdge {
  readonly name: EdgeName;
  /** Queries a second over the window. */
  readonly rate: number;
  /** Milliseconds from query to answer over the window; absent without an answer. */
  readonly p50?: number;
  readonly p99?: number;
}

export interface WireReason {
  /** What it is the reason of. */
  readonly outcome: QueryOutcome;
  readonly reason: string;
  readonly count: number;
}

export interface WireWay {
  readonly edges: readonly WireEdge[];
  /** Of the answers of caches, and of the kernel in their stead, 0 to 1; absent without one. */
  readonly hitShare?: number;
  /** Queries a second that did not enter the cache of their node. */
  readonly fellBackRate: number;
  readonly bypassedRate: number;
  readonly droppedRate: number;
  /** Answers a second that are neither NOERROR nor NXDOMAIN, and queries a second that nobody answered. */
  readonly failureRate: number;
  readonly unansweredRate: number;
  /** Why packets were left alone or thrown away, most frequent first. */
  readonly reasons: readonly WireReason[];
}

/** One second of one scope: `[second since the epoch, entered, fell back, bypassed, hits, misses, p50 ms, p99 ms, dropped]`; -1 is none. */
export type WirePoint = readonly number[];

export interface WirePod {
  /** `namespace/name`, or an address. */
  readonly pod: string;
  readonly node: string;
  readonly rate: number;
  readonly entered: number;
  readonly fellBack: number;
  readonly bypassed: number;
  readonly dropped: number;
  readonly p99?: number;
  /** Queries of each of the last 30 seconds. */
  readonly history: readonly number[];
}

export interface WireName {
  readonly name: string;
  readonly rate: number;
  readonly nameErrorShare: number;
  readonly history: readonly number[];
}

export interface WireSourceState {
  readonly connected: boolean;
  readonly error?: string;
  readonly nodes: readonly { readonly name: string; readonly state: string }[];
  readonly seenFlows: number;
  /** Flows that were lost before they came here, since the start. */
  readonly lostFlows: number;
  /** Flows that the source had and that were not read in time, since the start. */
  readonly missedFlows: number;
  /** Above 1: one query in so many is looked at, and counted for all. */
  readonly oneIn: number;
  /** Pods and names that did not fit into the tables. */
  readonly crowdedOut: number;
  readonly hasDoctor: boolean;
}

/** Once a second. */
export interface WireSnapshot {
  readonly atMs: number;
  readonly windowSeconds: number;
  /** The pod that was asked for; absent: all. */
  readonly pod?: string;
  readonly source: WireSourceState;
  readonly way: WireWay;
  readonly pods: readonly WirePod[];
  readonly names: readonly WireName[];
  readonly points: readonly WirePoint[];
  /** True: `points` replaces what the page has; false: they are to be appended. */
  readonly allPoints: boolean;
  /** Messages this reader was too slow for, since it connected. */
  readonly dropped: number;
}

/** One DNS query. */
export interface WireQuery {
  readonly id: number;
  readonly atMs: number;
  readonly client: string;
  readonly node: string;
  readonly asker: 'pod' | 'cache' | 'cluster-dns';
  readonly name: string;
  readonly type: string;
  readonly outcome: QueryOutcome;
  /** Why it was left alone or thrown away. */
  readonly reason?: string;
  /** `kernel`: it answered from what the cache had given it, and no process was asked. */
  readonly served?: 'hit' | 'miss' | 'kernel';
  readonly server: string;
  /** Absent: no answer was seen. */
  readonly rcode?: string;
  readonly ms?: number;
}

export interface WireRows {
  /** Oldest first. */
  readonly rows: readonly WireQuery[];
  /** Matched, but were more than a page is told in a second. */
  readonly skipped: number;
  /** True: these replace what the page has. */
  readonly fresh: boolean;
}

/** One flow of a query's way, in the words of `hubble observe`. */
export interface WireStep {
  readonly time: string;
  readonly node: string;
  readonly point: string;
  readonly from: string;
  readonly to: string;
  readonly verdict: string;
  readonly summary: string;
}

export interface WireFinding {
  readonly id: string;
  readonly severity: 'broken' | 'bypassed' | 'warning' | 'info';
  /** What is wrong, in one line. */
  readonly title: string;
  readonly node?: string;
  readonly pod?: string;
  readonly evidence: readonly string[];
  readonly cause: string;
  readonly fix: { readonly kind: 'command' | 'yaml' | 'text'; readonly text: string };
}

/** What became of the probes that were sent from inside a pod. */
export interface WirePodVerdict {
  readonly pod: string;
  readonly node: string;
  readonly verdict: 'ENTERED' | 'BYPASSED' | 'BROKEN' | 'UNKNOWN';
  readonly cause: string;
}

export interface WireDoctor {
  readonly atMs: number;
  readonly findings: readonly WireFinding[];
  readonly pods: readonly WirePodVerdict[];
  /** What could not be looked at, each once. */
  readonly unknown: readonly string[];
  /** Instead of findings: why there is no report. */
  readonly error?: string;
}
