/**
 * The seam between the agent and the kernel. Two implementations pass one conformance suite: the eBPF one and a fake
 * with state. All calls are idempotent; wanted state goes in whole, and what differs is written.
 */
import type { ObjectKey } from '../cluster/rows.ts';
import type { Ip } from '../net/ip.ts';
import type { Port, Protocol } from '../net/port.ts';
import type { Frontend } from '../policy/table.ts';
import type { DumpedFrontend } from './dump.ts';
import type { HookStatus } from './hooks/hook-set.ts';
import type { PacketSink } from './packet-record.ts';
import type { SocketPathStatus } from './socket/socket-status.ts';

/** A pod of this node whose host-side interface gets our programs. */
export interface LocalPod {
  readonly pod: ObjectKey;
  /** All of them: packets from any other address are left alone. */
  readonly addresses: readonly Ip[];
  /**
   * The operator permits redirection even where our program runs ahead of another owner of the pod's hook, which then
   * never sees the redirected packets. Default: false.
   */
  readonly permitted?: boolean;
  /** Its packets are seen and never redirected, wherever our program runs. Default: false. */
  readonly observeOnly?: boolean;
  /**
   * Cached names may be answered at its interface, by the programs themselves. In force only where the pod is redirected and
   * is itself no backend: a cache must not be answered from itself. Default: false.
   */
  readonly answers?: boolean;
}

/** Memory that one serving process fills with answers for the programs to give (bpf/answer-abi.h). */
export interface AnswerShelf {
  /** 1 to `MAX_SHELVES` - 1. */
  readonly number: number;
  /** Descriptors of index, small slots, large slots and the ring of the log; they stay the datapath's. */
  readonly fds: readonly [number, number, number, number];
  /** A power of two. */
  readonly sets: number;
  readonly smallSlots: number;
  readonly largeSlots: number;
  readonly logBytes: number;
}

/** Whose answers the queries to a backend's address and port may get. */
export interface AnswerSource {
  readonly address: Ip;
  readonly port: Port;
  /** Absent: nobody's. */
  readonly from?: { readonly shelf: number; readonly view: number };
}

/** One address and port at which a process of this node serves, on UDP, TCP or both. */
export interface BackendHealth {
  readonly address: Ip;
  readonly port: Port;
  /** Seat of the process in `beats`: redirected to only while its heartbeat is in time. Absent: none is asked. */
  readonly seat?: number;
  /** Why nothing is to be redirected there (a probe failed), in words; absent: nothing is known against it. */
  readonly down?: string;
}

/** Memory that serving processes map and beat in: `seats` rows of `beatBytes`; row 0 is nobody's. */
export interface BeatMap {
  /** Stays the datapath's; -1 where there is no kernel. */
  readonly fd: number;
  readonly seats: number;
  readonly beatBytes: number;
}

/** An address that is redirected to no more: its pod, process or policy went. */
export interface GoneBackend {
  readonly address: Ip;
  readonly port: Port;
  readonly protocol: Protocol;
}

export interface DatapathSpec {
  /** Only `LocalRedirect` frontends; each has at least one backend. */
  readonly frontends: readonly Frontend[];
  /**
   * Frontends whose local backends have all gone for a moment, though their policy holds: where names of theirs are answered,
   * that goes on until the shelf is closed, and everything else goes its ordinary way. Default: none.
   */
  readonly answering?: readonly Frontend[];
  readonly pods: readonly LocalPod[];
  /** `namespace/name` of the policies with skipRedirectFromBackend: a backend's own packets are left alone. */
  readonly skipPolicies?: readonly ObjectKey[];
  /** False until every source has listed once: then nothing may be removed (design invariant 3). */
  readonly mayPrune: boolean;
}

/** A row's way into the kernel; errors stay here with since and attempts and are retried by the reconciler. */
export interface RowStatus {
  readonly state: 'done' | 'pending' | 'error';
  /** Milliseconds since the epoch at which the row got into this state; fractions are microseconds. */
  readonly sinceMs: number;
  readonly attempts: number;
  readonly error?: string;
}

export interface FrontendRow {
  /** Stable while the frontend exists, also over restarts of the agent. */
  readonly id: number;
  readonly frontend: Frontend;
  readonly status: RowStatus;
}

export interface InterfaceRow {
  readonly pod: ObjectKey;
  readonly address: Ip;
  readonly ifindex: number;
  readonly ifname: string;
  readonly status: RowStatus;
  /** Where our programs hang among others; absent while they do not. */
  readonly hook?: HookStatus;
  /** The pod's `permitted`. */
  readonly permitted: boolean;
  /** False: packets of this pod are seen, never redirected: it is so wanted, or our programs run ahead of another owner's. */
  readonly redirects: boolean;
  /** Cached names are answered at this interface: `LocalPod.answers`, where nothing stands against it. */
  readonly answers: boolean;
}

export interface ProgramCost {
  readonly program: string;
  readonly runs: bigint;
  readonly runNs: bigint;
}

export interface DatapathCounters {
  /** Packets to a redirected frontend that were sent to a local backend. */
  readonly redirected: bigint;
  /** Replies whose source was put back to the frontend's address. */
  readonly restored: bigint;
  /** Packets to a redirected frontend left alone, by reason. */
  readonly fellBack: Readonly<Record<FallBackReason, bigint>>;
  /**
   * Packets that would have been redirected or restored, but whose source address is not one of the sending pod's:
   * left alone. Absent where nothing counts them.
   */
  readonly spoofed?: bigint;
  /** Events the ring buffer had no room for. */
  readonly eventsLost: bigint;
  /** Queries that the programs answered by themselves. */
  readonly answered: bigint;
  /** Queries of pods that may be answered, for which there was nothing: they went on as all others do. */
  readonly answersMissed: bigint;
  /**
   * Queries whose answer was taken out while it was copied: they went on to the server. And replies that were thrown away
   * half made, for want of memory: the client asks again.
   */
  readonly answersTorn: bigint;
}

/**
 * Why a packet to a redirected frontend was left alone. `skip`: it comes from one of the frontend's own backends and
 * the policy says so, or the only backend alive is the sender itself. `established`: a TCP segment of a connection
 * that did not begin with us. `fragment`: also IP options and VLAN tags. `no-heartbeat`: the serving process is late.
 * `probe-failed`: the agent asked the backend and got no answer. `not-permitted`: our program runs ahead of another
 * owner of the pod's hook. `flow-share`: the pod makes more flows than its share of the flow map.
 */
export type FallBackReason =
  | 'no-backend'
  | 'no-socket'
  | 'fragment'
  | 'skip'
  | 'established'
  | 'no-heartbeat'
  | 'probe-failed'
  | 'not-permitted'
  | 'flow-share';

/** Whether packets that the kernel throws away are told of. */
export interface DropStatus {
  readonly watched: boolean;
  /** Why not, though packets are taken. */
  readonly problem?: string;
}

/** The kernel threw the packet away. */
export interface PacketDrop {
  /** The kernel's number; `Datapath.dropReason` has the word. */
  readonly reason: number;
  /** In whose namespace. */
  readonly place: 'node' | 'pod';
}

/** What one packet did at one of our hooks, as the kernel told it. */
export interface PacketEvent {
  /** CLOCK_MONOTONIC. */
  readonly timeNs: bigint;
  /** from-endpoint: left a pod. to-endpoint: is delivered to a pod. Of a drop: is its source or only its destination here? */
  readonly hook: 'from-endpoint' | 'to-endpoint';
  readonly ifindex: number;
  /**
   * `forwarded`: seen and let through. `redirected`: destination replaced by `translated` and delivered to that pod.
   * `restored`: source replaced by `translated` and delivered to the client. `fell-back`: see `reason`. `dropped`: at no hook
   * of ours, see `drop`. `answered`: the program sent the reply itself; the payload is the reply's, addresses and ports are those of
   * the query.
   */
  readonly verdict: 'forwarded' | 'redirected' | 'restored' | 'fell-back' | 'dropped' | 'answered';
  /** Of `answered`: nanoseconds from the packet's arrival at the program to its reply. */
  readonly tookNs?: number;
  readonly reason?: FallBackReason;
  readonly drop?: PacketDrop;
  readonly protocol: Protocol;
  /** Before translation. */
  readonly source: { readonly address: Ip; readonly port: Port };
  readonly destination: { readonly address: Ip; readonly port: Port };
  readonly translated?: { readonly address: Ip; readonly port: Port };
  /** For `redirected` and `restored`: the interface it was delivered to. */
  readonly deliveredIfindex?: number;
  /** TCP flag bits as in the header; 0 for UDP. */
  readonly tcpFlags: number;
  /** First bytes of the transport payload, at most EVENT_PAYLOAD_BYTES of the ABI. */
  readonly payload: Uint8Array;
  /** Length of the whole transport payload. */
  readonly payloadLength: number;
}

export interface Datapath {
  /**
   * Brings the kernel to `spec`; resolves when every row is done or has an error, of this spec or of a newer one. Calls are
   * serialised: one that comes while another is brought about has it end early and takes the place of those that wait. Interfaces
   * that take the kernel more than seconds to attach to follow after that. What does not wait: whom the spec gives no answers
   * is not answered any more when this returns.
   */
  apply(spec: DatapathSpec): Promise<void>;
  frontends(): readonly FrontendRow[];
  /**
   * What an earlier datapath left and no spec has asked for or pruned yet: still redirected. Whose service it is nobody
   * has said: `service` is empty.
   */
  inherited(): readonly FrontendRow[];
  /** The redirect maps as the kernel has them at this moment, read entry by entry, in no order. */
  dump(): readonly DumpedFrontend[];
  interfaces(): readonly InterfaceRow[];
  counters(): DatapathCounters;
  /**
   * What the programs ask beside the socket, from the next packet on. Idempotent; takes the place of what was said of
   * this address and port before, also for a backend that only comes later. Survives a restart of the agent.
   */
  setHealth(row: BackendHealth): void;
  /** Of all backends in the kernel, those of an earlier agent included, and of all that `setHealth` told of. */
  health(): readonly BackendHealth[];
  readonly beats: BeatMap;
  /**
   * A shelf of the size that the datapath was opened for; undefined when answers are off, all shelves are taken, or the kernel has
   * no memory for it, which is logged.
   */
  openShelf(): AnswerShelf | undefined;
  /** One that an earlier datapath opened, or this one; undefined when there is none of that number. */
  shelf(number: number): AnswerShelf | undefined;
  /** Nothing is answered from it any more; who has it in memory keeps that. */
  closeShelf(number: number): void;
  /** Of this datapath and of earlier ones. */
  shelves(): readonly AnswerShelf[];
  /**
   * From the next packet on. Idempotent; takes the place of what was said of this address and port before, also for a backend
   * that only comes later. A frontend gets the source of its first backend that has one. Survives a restart of the agent. A
   * shelf that is not there is nobody's; closing one ends all sources that name it. Beyond 4096 places nothing is kept.
   */
  setAnswerSource(row: AnswerSource): void;
  /** Those that name a shelf. */
  answerSources(): readonly AnswerSource[];
  /** Called after the kernel has forgotten backends: connected sockets to them must not stay there. */
  onBackendsGone(listener: (gone: readonly GoneBackend[]) => void): void;
  /** Whose sockets are redirected before there is a packet, and what keeps others from it. */
  socketPath(): SocketPathStatus;
  /** What our programs took of the machine's processors, so far, while the kernel was told to count (`countProgramRuns`). */
  programCosts(): readonly ProgramCost[];
  /** At most one sink. From now on the programs tell of packets; without this they tell nothing, which costs nothing. */
  onPackets(sink: PacketSink): void;
  /** As long as packets are taken. */
  drops(): DropStatus;
  /** The kernel's own word for a reason of `PacketDrop`: `NETFILTER_DROP`. */
  dropReason(reason: number): string;
  /** Lets go of descriptors and timers. Pinned maps and links stay, so packets keep their way (invariant 2). */
  close(): void;
  /** Unpins everything: links detach, packets go their ordinary way. */
  remove(): void;
}
