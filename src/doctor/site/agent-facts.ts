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
  /**
   * What the flows of the last minutes come to. Filled by whoever asks the agents: every response of every one of them goes
   * into one `createFlowSummaries` (site/flow-summary), which gives a summary for each node.
   */
  readonly flows: Known<FlowSummary>;
  /**
   * Whether the servers that this node's cache forwards to answer, seen from the node: `probeUpstreams` (probe/upstream) of
   * `upstreamServers` (picture/upstreams). Filled where the doctor runs on the node; no agent is needed for it.
   */
  readonly upstreams: Known<readonly UpstreamProbe[]>;
}

export interface AgentSummary {
  readonly version: string;
  readonly startedAtMs: number;
  /** False: it was told to look only. */
  readonly redirects: boolean;
  readonly redirected: number;
  readonly fellBack: Readonly<Record<string, number>>;
  readonly datapathError?: string;
  /** Absent: it knows of none. */
  readonly kernelAnswers?: KernelAnswersFact;
}

/** Which pods' cached names the kernel answers by itself, and what stands against it. */
export interface KernelAnswersFact {
  /** False: the agent was told to have none. */
  readonly on: boolean;
  /** Why a cache of the node has no room for answers. */
  readonly problem?: string;
  /** Backends whose process fills the answer map. */
  readonly served: readonly { readonly address: Ip; readonly port: number }[];
  /** Pods whose names are answered, of so many at whose interfaces the agent is. */
  readonly answered: number;
  readonly of: number;
  readonly refused: readonly { readonly pod: ObjectKey; readonly reason: string }[];
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
  /** The port it left from, by which connection tracking knows it. Filled by `probePods`. */
  readonly sourcePort?: number;
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
  /** It is a cache on the client's own node, or the kernel with its answers. */
  readonly cache: boolean;
  /** No process was asked: the address is the one that the client asked. */
  readonly kernel?: true;
}

/** Numbers about one node: of messages of its own pods, each counted once, the doctor's own probes left out. */
export interface FlowSummary {
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Of pods that are no DNS servers themselves. */
  readonly queries: number;
  /** Answers NXDOMAIN to names that the search list made. */
  readonly searchMisses: number;
  /** Ends that the search list put there, most misses first, at most 8. */
  readonly topSuffixes: readonly { readonly suffix: string; readonly misses: number }[];
  /** Answers by UDP with the TC bit. */
  readonly truncated: number;
  /** Of those, answers to queries without EDNS: they may have 512 bytes. */
  readonly truncatedWithoutEdns: number;
  /** Of those, the ones whose client did not ask again by TCP within two seconds. */
  readonly truncatedAndDropped: number;
  /** Pods of the last, at most 5. */
  readonly droppingPods: readonly ObjectKey[];
  /** The same message from the same port again, more than a second after the first. */
  readonly retries: number;
  /** Pods of those, at most 5, most retries first. */
  readonly retryingPods: readonly { readonly pod: ObjectKey; readonly retries: number }[];
  /** Queries without an answer for five seconds; retries of one count once. Not known where packets were lost. */
  readonly unanswered?: number;
  /** Pairs of A and AAAA from one source port within a millisecond. */
  readonly pairedQueries: number;
  /** Of those, the ones that left the pod's interface for a service's address: somebody else has yet to translate them. */
  readonly pairsToServices: number;
  /** The same message from one port to two servers within a millisecond: what musl does with several nameservers. */
  readonly parallelQueries: number;
  /** From a query to its answer, both at the client's own interface. */
  readonly latencyMs?: Latency;
  /** The same at the interface of the pod that served it, of those queries that were seen at both. */
  readonly serverLatencyMs?: Latency;
  /** Of the queries of `serverLatencyMs` only, what the client felt: the two can be compared. */
  readonly comparedLatencyMs?: Latency;
  /** Most asked first, at most 20. Too high rather than too low where there are more names than are kept. */
  readonly topNames: readonly { readonly name: string; readonly queries: number }[];
  readonly topPods: readonly {
    readonly pod: ObjectKey;
    readonly queries: number;
    readonly searchMisses: number;
  }[];
  /** Queries per second to addresses outside of the cluster, the busiest second of each; also those of the servers. */
  readonly upstreamPeaks: readonly { readonly address: Ip; readonly perSecond: number }[];
  /** Packets that were seen and could not be kept; numbers are too low by so many at most. */
  readonly lost: number;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  /** Measurements. */
  readonly count: number;
}

/** A server that is asked for what a cache does not know, and what it did with one query by each protocol. */
export interface UpstreamProbe {
  readonly address: Ip;
  readonly port: number;
  readonly udp: UpstreamAnswer;
  readonly tcp: UpstreamAnswer;
  /** After its answer the server reset the idle connection, so long after; a connection that it closed in order is not told. */
  readonly tcpResetAfterMs?: number;
}

export interface UpstreamAnswer {
  /** Any well-formed answer counts, whatever its code. */
  readonly outcome: 'answered' | 'refused' | 'timeout' | 'unreachable' | 'malformed';
  readonly latencyMs?: number;
  /** Mnemonic, of an answer. */
  readonly rcode?: string;
  /** Name of the kernel's error, where it said one. */
  readonly reason?: string;
}
