/**
 * What is known of a node by asking: its zerohop agent, the probes that were sent from inside pods, and what was read of
 * packets. An absent agent is a fact and no failure: other people's caches are judged without one.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import type { Ip } from '../../net/ip.ts';
import type { Protocol } from '../../net/port.ts';
import type { PolicyState } from '../../policy/table.ts';
import type { Known } from './known.ts';

export interface AgentFacts {
  /** Undefined inside: nobody listens where an agent would. */
  readonly status: Known<AgentSummary | undefined>;
  readonly policies: Known<readonly PolicyState[]>;
  readonly probes: Known<readonly ProbeTrail[]>;
  /** What the flows of the last minutes come to. */
  readonly flows: Known<FlowSummary>;
}

export interface AgentSummary {
  readonly version: string;
  readonly startedAtMs: number;
  /** False: it was told to look only. */
  readonly redirects: boolean;
  readonly redirected: number;
  readonly fellBack: Readonly<Record<string, number>>;
  readonly datapathError?: string;
}

/** One query with a tag in its name, sent by the doctor from inside a pod's network namespace, and what became of it. */
export interface ProbeTrail {
  /** Unique to the probe, and found again in every step. */
  readonly tag: string;
  readonly node: string;
  /** Of the pod it was sent from. */
  readonly client: ObjectKey;
  readonly protocol: Protocol;
  /** Where it was sent: what the pod's resolv.conf names. */
  readonly target: Ip;
  readonly targetPort: number;
  readonly outcome: 'answered' | 'refused' | 'timeout' | 'unreachable';
  /** Only of an answer; the mnemonic, as NOERROR. */
  readonly rcode?: string;
  readonly recursionAvailable?: boolean;
  readonly latencyMs?: number;
  /** In the order seen; empty when nothing could be watched. */
  readonly steps: readonly ProbeStep[];
  /** The last server that was seen to be given it. */
  readonly server?: ProbeServer;
}

export interface ProbeStep {
  /** `pod`, `tc`, `socket`, `conntrack`, `cache`, `cluster-dns`: where it was seen. */
  readonly hook: string;
  readonly source?: Ip;
  readonly destination: Ip;
  readonly destinationPort: number;
  /** What was done there: `redirected`, `dnat`, `passed`, `dropped`, ... */
  readonly verdict: string;
  /** Who did it and why, in words. */
  readonly reason?: string;
}

export interface ProbeServer {
  readonly address: Ip;
  readonly port: number;
  readonly pod?: ObjectKey;
  readonly node?: string;
  /** It is a cache on the client's own node. */
  readonly cache: boolean;
}

export interface FlowSummary {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly queries: number;
  /** Answers NXDOMAIN to names that the search list made. */
  readonly searchMisses: number;
  readonly truncated: number;
  readonly retries: number;
  /** Pairs of A and AAAA from one source port within a millisecond. */
  readonly pairedQueries: number;
  readonly latencyMs?: { readonly p50: number; readonly p99: number };
  readonly serverLatencyMs?: { readonly p50: number; readonly p99: number };
  /** Most asked first, at most 20. */
  readonly topNames: readonly { readonly name: string; readonly queries: number }[];
  readonly topPods: readonly {
    readonly pod: ObjectKey;
    readonly queries: number;
    readonly searchMisses: number;
  }[];
  /** Queries per second to addresses outside of the cluster, the busiest second of each. */
  readonly upstreamPeaks: readonly { readonly address: Ip; readonly perSecond: number }[];
  readonly lost: number;
}
