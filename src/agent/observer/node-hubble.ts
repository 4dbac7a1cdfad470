/**
 * Hubble's API of one node: where it listens, what it answers from. The place where a stock client looks is Cilium's own, so
 * it is taken by wish alone, and not from a Cilium that lives.
 */
import type { ClusterSnapshot } from '../../cluster/snapshot.ts';
import { AppError, errorCode, errorText } from '../../fault/app-error.ts';
import type { NarrowOptions } from '../../flow/filter/narrow.ts';
import type { Turns } from '../../flow/turns.ts';
import type { HubbleErrorCode } from '../../hubble/errors.ts';
import type { TlsFiles } from '../../hubble/listen/tls-files.ts';
import type { PeerSource } from '../../hubble/observer-source.ts';
import { type HubbleServer, startHubbleServer } from '../../hubble/server.ts';
import { formatListenAddress, type ListenAddress } from '../../net/listen-address.ts';
import type { Readable } from '../../store/store.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { createNodeObserver, type RecordedNode } from '../node-observer.ts';
import { PROGRAM_VERSION } from '../version.ts';
import type { AgentEventLog } from './agent-event-log.ts';
import { createNodePeers, tlsServerName } from './node-peers.ts';

/** Where a stock client looks when it is not told (spec hubble 7.1). */
export const CILIUM_SOCKET = '/var/run/cilium/hubble.sock';
export const DEFAULT_HUBBLE_SOCKET = '/run/zerohop/hubble.sock';
/** Cilium's name for a cluster that nobody named. */
const CLUSTER_NAME = 'default';

/** Where to listen; nothing set: nowhere. */
export interface HubbleListen {
  readonly socketPath?: string;
  /** A second socket, which is left alone while somebody else answers there. */
  readonly ciliumSocket?: string;
  readonly listenAddress?: ListenAddress;
  /** Of `listenAddress`; absent: without TLS. */
  readonly tls?: TlsFiles;
}

export interface NodeHubbleOptions extends HubbleListen {
  readonly nodeName: string;
  readonly snapshot: Readable<ClusterSnapshot>;
  /** Absent: this node records nothing. */
  readonly recorded?: RecordedNode;
  readonly narrowing: NarrowOptions;
  readonly events: AgentEventLog;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly log: Log;
}

export interface NodeHubble {
  /** As `openHubble` takes them, the unix socket first. */
  readonly targets: readonly string[];
  readonly streams: number;
  close(): Promise<void>;
}

/** Throws `AppError` as `startHubbleServer` does. */
export async function startNodeHubble(options: NodeHubbleOptions): Promise<NodeHubble> {
  const { nodeName, clock, log, turns, listenAddress, tls, recorded, narrowing } = options;
  const source = createNodeObserver({
    ...{ nodeName, version: PROGRAM_VERSION, turns, clock, clusterName: CLUSTER_NAME, narrowing },
    events: options.events,
    ...(recorded === undefined ? {} : { recorded }),
    ...(listenAddress === undefined ? {} : { address: () => addressOf(options, listenAddress) }),
    ...(tls === undefined ? {} : { tlsServerName: tlsServerName(nodeName, CLUSTER_NAME) }),
  });
  const peers = peersOf(options);
  const start = (withCilium: boolean) =>
    startHubbleServer({
      ...{ source, peers, clock, log, listen: addressesOf(options, withCilium) },
    });
  try {
    const server = await start(true).catch((error: unknown) => {
      if (options.ciliumSocket === undefined || !isAbout(error, options.ciliumSocket)) throw error;
      log.warning(`Hubble's API is not served where Cilium's is: ${errorText(error)}`);
      return start(false);
    });
    return handleOf(server, () => source.close());
  } catch (error) {
    source.close();
    throw error;
  }
}

function handleOf(server: HubbleServer, closeSource: () => void): NodeHubble {
  return {
    targets: server.targets,
    get streams() {
      return server.streams;
    },
    close() {
      closeSource();
      return server.close();
    },
  };
}

/** What others reach the node at, when it listens at all its addresses. */
function addressOf({ snapshot, nodeName }: NodeHubbleOptions, listen: ListenAddress): string {
  const [first] = snapshot.get().nodes.get(`/${nodeName}`)?.internalIPs ?? [];
  const host = listen.host ?? first;
  return host === undefined ? '' : formatListenAddress({ host, port: listen.port });
}

function addressesOf({ socketPath, ciliumSocket, listenAddress, tls }: HubbleListen, withCilium: boolean) {
  return [
    ...(socketPath === undefined ? [] : [{ unix: socketPath }]),
    ...(ciliumSocket === undefined || !withCilium ? [] : [{ unix: ciliumSocket }]),
    ...(listenAddress === undefined
      ? []
      : [{ host: listenAddress.host ?? '', port: listenAddress.port, ...(tls && { tls }) }]),
  ];
}

/** What cannot be had of a place that was only wished for must not keep the others from being served. */
function isAbout(error: unknown, path: string): boolean {
  const code = errorCode(error);
  if (code !== 'HUBBLE_SOCKET_TAKEN' && code !== 'HUBBLE_SOCKET_UNUSABLE') return false;
  return error instanceof AppError && error.message.endsWith(`: received ${path}`);
}

/** Without an address of its own an agent knows none of the others'. */
function peersOf({ snapshot, listenAddress, tls }: NodeHubbleOptions): PeerSource {
  if (listenAddress === undefined) return noPeers;
  return createNodePeers({
    ...{ snapshot, port: listenAddress.port, tls: tls !== undefined, clusterName: CLUSTER_NAME },
  });
}

// biome-ignore lint/correctness/useYield: it has nothing to give, and says why when it is asked.
async function* noPeers(): AsyncGenerator<never, void, void> {
  const code: HubbleErrorCode = 'HUBBLE_UNSUPPORTED';
  throw new AppError(code, 'Cannot give peers: this agent has no address for others', {
    hint: 'Start the agents with --hubble-listen-address',
  });
}
