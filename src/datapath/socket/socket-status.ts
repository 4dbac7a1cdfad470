/** What the socket path says of itself: values that the status of the agent shows as they are. */

/** Whose sockets are redirected: those of the node's own network namespace, or those of its pods, too. */
export type SocketScope = 'host' | 'all';

/** Why a socket was left alone; the words stand for enum reason of bpf/abi.h and socket_reason of socket-abi.h. */
export type SocketReason =
  | 'no-backend'
  | 'no-socket'
  | 'skip'
  | 'no-heartbeat'
  | 'probe-failed'
  | 'unseen'
  | 'mixed'
  | 'no-memory';

export interface SocketCounters {
  /** TCP connections. */
  readonly tcp: bigint;
  /** UDP sockets that were connected. */
  readonly connected: bigint;
  /** Datagrams of unconnected UDP sockets. */
  readonly datagrams: bigint;
  /** Senders and peers that were shown as the frontend. */
  readonly restored: bigint;
  readonly fellBack: Readonly<Record<SocketReason, bigint>>;
}

/** Another program on a hook of the same cgroup. */
export interface SocketHookOwner {
  /** `connect4`, `sendmsg6` and so on. */
  readonly hook: string;
  /** As the kernel has it; `program <id>` where it has none. */
  readonly name: string;
  readonly id: number;
  /** It sees the address first: what it translates, we never see. */
  readonly ahead: boolean;
}

export interface SocketPathStatus {
  readonly scope: SocketScope | 'off';
  /** The cgroup that the programs hang on; empty when they do not. */
  readonly cgroup: string;
  /** False: only processes below that cgroup are reached, it is not the machine's root. */
  readonly whole: boolean;
  readonly others: readonly SocketHookOwner[];
  /** Network namespaces whose sockets are redirected. */
  readonly callers: number;
  readonly counters?: SocketCounters;
  /** Connected UDP sockets that were ended because their backend was gone. */
  readonly ended: number;
  /** Those that were ended because they went past a redirect that had come later; absent where they stay. */
  readonly moved?: number;
  /** What does not work, and what it would need. */
  readonly problems: readonly string[];
}

export const SOCKET_PATH_OFF: SocketPathStatus = {
  scope: 'off',
  cgroup: '',
  whole: false,
  others: [],
  callers: 0,
  ended: 0,
  problems: [],
};
