/**
 * What the agent's socket answers, as JSON. Counters are decimal text, because they are 64 bits wide.
 *
 *   GET  /v1/lrp      LrpListing
 *   GET  /v1/bpf/lb   LbListing
 *   GET  /v1/bpf/answers  AnswerListing
 *   GET  /v1/service  ServiceListing
 *   GET  /v1/status   AgentStatus
 *   GET  /healthz     `ok`
 *
 * A refusal has status 400 and an `ApiProblem`.
 */
import type { ObjectKey } from '../cluster/rows.ts';
import type { KindName } from '../cluster/snapshot.ts';
import type { FallBackReason, RowStatus } from '../datapath/datapath.ts';
import type { DumpedFrontend } from '../datapath/dump.ts';
import type { HookStatus } from '../datapath/hooks/hook-set.ts';
import type { SocketPathStatus, SocketReason } from '../datapath/socket/socket-status.ts';
import type { Frontend, ServiceTable } from '../policy/table.ts';
import type { AnsweredPods, AnswersReport } from './answers/answers-report.ts';
import type { ListedEntries } from './answers/node-answers.ts';
import type { HealthReport } from './health/health-report.ts';
import type { Delivery } from './redirect/delivery.ts';

/** How far a policy has come in the kernel maps. */
export interface Realisation {
  readonly policy: ObjectKey;
  /** `none`: it redirects nothing, so there is nothing to write. */
  readonly state: 'done' | 'pending' | 'error' | 'none';
  /** Milliseconds since the epoch at which its last frontend row was done; only when all are. */
  readonly realisedAtMs?: number;
  readonly error?: string;
}

/** How the telling of the cluster goes; absent in an agent that was told not to. */
export interface ReportStatus {
  /** This agent writes the conditions of all policies. */
  readonly leading: boolean;
  /** The node whose agent does; absent while nobody is known to. */
  readonly leader?: string;
  /** The API server drops the conditions: the definition's schema does not know them. Events tell of the policies. */
  readonly statusPruned?: boolean;
  /** Why this node's report could not be written, until it can. */
  readonly error?: string;
}

export interface LrpListing {
  readonly node: string;
  readonly table: ServiceTable;
  readonly realised: readonly Realisation[];
  readonly report?: ReportStatus;
}

/** As `SocketPathStatus`, with counters as decimal text. */
export interface SocketPathJson extends Omit<SocketPathStatus, 'counters'> {
  readonly counters?: {
    readonly tcp: string;
    readonly connected: string;
    readonly datagrams: string;
    readonly restored: string;
    readonly fellBack: Readonly<Record<SocketReason, string>>;
  };
}

/** What the redirect maps of the node's kernel hold, in no order. */
export interface LbListing {
  readonly node: string;
  readonly rows: readonly DumpedFrontend[];
}

/** What the answer map of the node's kernel holds, by name. */
export interface AnswerListing extends ListedEntries {
  readonly node: string;
}

export interface ServiceRowJson {
  /** Of the kernel's row; only redirected frontends have one. */
  readonly id?: number;
  readonly frontend: Frontend;
  readonly status?: RowStatus;
}

export interface ServiceListing {
  readonly node: string;
  readonly rows: readonly ServiceRowJson[];
}

export interface InterfaceJson {
  readonly pod: ObjectKey;
  readonly address: string;
  readonly ifindex: number;
  readonly ifname: string;
  readonly status: RowStatus;
  /** Where our programs hang among others; absent while they do not, and from agents that do not tell. */
  readonly hook?: HookStatus;
  /** False: packets of this pod are seen, never redirected. */
  readonly redirects?: boolean;
  /** Cached names are answered at this interface. */
  readonly answers?: boolean;
}

export interface AgentStatus {
  readonly name: 'zerohop';
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly startedAtMs: number;
  /** Kinds that have been listed once, and kinds the API server does not know (no CRD). */
  readonly synced: readonly KindName[];
  readonly missing: readonly KindName[];
  /** Kinds that are neither: until then nothing is pruned, and the agent is not ready. */
  readonly waitingFor: readonly KindName[];
  /** Kinds that cannot be followed at the moment (no server, no right): what was known of them last stays in force. */
  readonly failing?: readonly KindName[];
  readonly policies: readonly Realisation[];
  readonly interfaces: readonly InterfaceJson[];
  readonly counters: {
    readonly redirected: string;
    readonly restored: string;
    readonly fellBack: Readonly<Record<FallBackReason, string>>;
    /** Events the kernel's ring had no room for. */
    readonly eventsLost: string;
    /** Queries that the kernel answered by itself. */
    readonly answered: string;
    /** Queries of pods that may be answered, for which it had nothing. */
    readonly answersMissed: string;
    /** Replies that it threw away because their answer was taken out under its hands. */
    readonly answersTorn: string;
  };
  readonly flows: {
    readonly recording: boolean;
    readonly kept: number;
    readonly capacity: number;
    readonly seen: number;
    readonly followers: number;
    /** Why packets that the kernel drops are not among them; absent: they are. */
    readonly dropsUnseen?: string;
  };
  /** Where Hubble's API of this node is, as `openHubble` takes it, the unix socket first; absent: nowhere. */
  readonly hubble?: { readonly targets: readonly string[] };
  /** Why the last write to the datapath failed as a whole; absent when it did not. */
  readonly datapathError?: string;
  /** Of the servers that packets are redirected to; absent: only their sockets are asked for. */
  readonly health?: HealthReport;
  readonly report?: ReportStatus;
  /** How redirected packets get to their pod, and why so; absent where nothing is delivered. */
  readonly delivery?: Delivery;
  /** Absent where caches are not listened for. */
  readonly answers?: AnswersReport & { readonly pods: AnsweredPods };
  /** Absent from agents that know no sockets. */
  readonly socketPath?: SocketPathJson;
}

export interface ApiProblem {
  readonly code: string;
  readonly message: string;
}
