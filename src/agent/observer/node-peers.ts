/**
 * The nodes of the cluster as Hubble's peers (spec hubble 6.2, 7.2): at first all there are, this one among them, then each
 * change. All agents are taken to listen at the port this one listens at, with TLS if it has TLS, as Cilium takes its own.
 */
import type { NodeRow } from '../../cluster/rows.ts';
import type { ClusterSnapshot } from '../../cluster/snapshot.ts';
import type { PeerChange, PeerSource } from '../../hubble/observer-source.ts';
import { formatListenAddress } from '../../net/listen-address.ts';
import type { Port } from '../../net/port.ts';
import type { Readable } from '../../store/store.ts';

export interface NodePeersOptions {
  readonly snapshot: Readable<ClusterSnapshot>;
  readonly port: Port;
  readonly tls: boolean;
  readonly clusterName: string;
}

type Peer = Omit<PeerChange, 'type'>;
type Nodes = ClusterSnapshot['nodes'];

export function createNodePeers(options: NodePeersOptions): PeerSource {
  return (signal) => peersOf(options, signal);
}

async function* peersOf(
  options: NodePeersOptions,
  signal: AbortSignal,
): AsyncGenerator<PeerChange, void, void> {
  const { snapshot } = options;
  const told = new Map<string, Peer>();
  let seen: Nodes | undefined;
  while (!signal.aborted) {
    const { nodes } = snapshot.get();
    if (nodes === seen) {
      await nodesOtherThan(nodes, options, signal);
      continue;
    }
    seen = nodes;
    // A reader that is slow is told how things are when it comes back, not all that was in between.
    for (const change of changes(told, peerTable(nodes, options))) {
      if (signal.aborted) return;
      const { type, ...peer } = change;
      if (type === 'PEER_DELETED') told.delete(peer.name);
      else told.set(peer.name, peer);
      yield change;
    }
  }
}

function peerTable(nodes: Nodes, options: NodePeersOptions): ReadonlyMap<string, Peer> {
  const peers = [...nodes.values()].flatMap((node) => peerOf(node, options) ?? []);
  return new Map(peers.sort((a, b) => (a.name < b.name ? -1 : 1)).map((peer) => [peer.name, peer]));
}

/** A node without an address cannot be asked: it is none yet. */
function peerOf({ name, internalIPs }: NodeRow, options: NodePeersOptions): Peer | undefined {
  const [host] = internalIPs;
  if (host === undefined) return undefined;
  const address = formatListenAddress({ host, port: options.port });
  if (!options.tls) return { name, address };
  return { name, address, tlsServerName: tlsServerName(name, options.clusterName) };
}

/** Cilium's convention for the name in a node's certificate (spec hubble 7.3). */
export function tlsServerName(nodeName: string, clusterName: string): string {
  const label = (name: string) => name.replaceAll('.', '-');
  return `${label(nodeName)}.${label(clusterName)}.hubble-grpc.cilium.io`;
}

function changes(told: ReadonlyMap<string, Peer>, now: ReadonlyMap<string, Peer>): readonly PeerChange[] {
  const gone = [...told.values()].filter(({ name }) => !now.has(name));
  const come = [...now.values()].flatMap((peer): readonly PeerChange[] => {
    const before = told.get(peer.name);
    if (before === undefined) return [{ ...peer, type: 'PEER_ADDED' }];
    const isSame = before.address === peer.address && before.tlsServerName === peer.tlsServerName;
    return isSame ? [] : [{ ...peer, type: 'PEER_UPDATED' }];
  });
  return [...gone.map((peer): PeerChange => ({ ...peer, type: 'PEER_DELETED' })), ...come];
}

function nodesOtherThan(nodes: Nodes, { snapshot }: NodePeersOptions, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stop();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const stop = snapshot.watch((value) => {
      if (value.nodes !== nodes) done();
    });
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
