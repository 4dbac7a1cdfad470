/**
 * A relay (spec hubble 7.2): Hubble's API for a whole cluster, from the nodes that a peer service names. It keeps no flows:
 * every question is asked of the nodes when it is asked of the relay.
 */
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { type ClientTls, openHubble } from '../client.ts';
import type { ListenAddress } from '../listen/listener.ts';
import { type HubbleServer, startHubbleServer } from '../server.ts';
import { openPeer } from './open-peer.ts';
import { PeerSet } from './peer-set.ts';
import { createRelaySource } from './relay-source.ts';
import { watchPeers } from './watch-peers.ts';

export interface RelayServerOptions {
  readonly listen: readonly ListenAddress[];
  /** Where `peer.Peer/Notify` is answered, as `openHubble` takes it. */
  readonly peerService: string;
  /** Of a peer service that is not on a socket; absent: without TLS. */
  readonly peerServiceTls?: ClientTls;
  /** For peers that say that they speak TLS; absent: they are spoken to without. */
  readonly peerTls?: ClientTls;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a follower's flow waits for those of nodes that are silent, in milliseconds. */
  readonly windowMs?: number;
  /** Between two attempts to reach the peer service or a node, in milliseconds. */
  readonly retryMs?: number;
}

const RETRY_MS = 2000;
/** Each is one on every node, which has 128 of them: a relay's clients must leave some to others. */
const MOST_STREAMS = 64;

/** Throws `AppError` as `openListener` and `openHubble` do; nothing stays open then. */
export async function startRelay(
  options: RelayServerOptions,
): Promise<Pick<HubbleServer, 'targets' | 'close'>> {
  const { version, clock, log, windowMs, retryMs = RETRY_MS } = options;
  const service = openHubble(options.peerService, options.peerServiceTls);
  const peers = new PeerSet((change) => openPeer(change, options.peerTls));
  const window = windowMs === undefined ? {} : { windowMs };
  const source = createRelaySource({ peers, version, clock, retryMs, ...window });
  const stop = new AbortController();
  try {
    const server = await startHubbleServer({
      ...{ source, listen: options.listen, clock, log },
      maxStreams: MOST_STREAMS,
    });
    const watching = watchPeers({
      notify: (signal) => service.peers(signal),
      peers,
      signal: stop.signal,
      clock,
      log,
      retryMs,
    });
    return {
      targets: server.targets,
      async close() {
        stop.abort();
        await Promise.all([server.close(), watching]);
        peers.close();
        service.close();
      },
    };
  } catch (error) {
    service.close();
    throw error;
  }
}
