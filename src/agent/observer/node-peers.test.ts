import { describe, expect, it } from 'vitest';
import type { NodeRow } from '../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../../cluster/snapshot.ts';
import { ip } from '../../flow/testing/sample-cluster.ts';
import type { PeerChange } from '../../hubble/observer-source.ts';
import { type Port, toPort } from '../../net/port.ts';
import { createStore } from '../../store/store.ts';
import { createNodePeers, tlsServerName } from './node-peers.ts';

const PORT = toPort(4244) as Port;

function cluster(nodes: Readonly<Record<string, readonly string[]>>): ClusterSnapshot {
  const rows = Object.entries(nodes).map(([name, addresses]): [string, NodeRow] => [
    `/${name}`,
    { ...{ namespace: '', name, uid: name, createdAtMs: 0 }, internalIPs: addresses.map(ip), labels: {} },
  ]);
  return { ...EMPTY_SNAPSHOT, nodes: new Map(rows) };
}

function watch(first: ClusterSnapshot, tls = false) {
  const snapshot = createStore(first);
  const abort = new AbortController();
  const peers = createNodePeers({ snapshot, port: PORT, tls, clusterName: 'default' })(abort.signal);
  const rows = peers[Symbol.asyncIterator]();
  const take = async (count: number): Promise<string[]> => {
    const changes: PeerChange[] = [];
    while (changes.length < count) {
      const { value } = await rows.next();
      if (value === undefined) break;
      changes.push(value);
    }
    return changes.map(({ type, name, address }) => `${type} ${name} ${address}`);
  };
  return { snapshot, abort, take, rows };
}

describe('createNodePeers', () => {
  it('tells of all nodes that can be asked, then of each change', async () => {
    const { snapshot, take, abort } = watch(cluster({ w2: ['192.0.2.2'], w1: ['192.0.2.1'], new: [] }));
    expect(await take(2)).toEqual(['PEER_ADDED w1 192.0.2.1:4244', 'PEER_ADDED w2 192.0.2.2:4244']);
    const next = take(3);
    snapshot.set(cluster({ w2: ['192.0.2.22'], new: ['2001:db8::3'] }));
    expect(await next).toEqual([
      'PEER_DELETED w1 192.0.2.1:4244',
      'PEER_ADDED new [2001:db8::3]:4244',
      'PEER_UPDATED w2 192.0.2.22:4244',
    ]);
    const nothing = take(1);
    snapshot.set({ ...snapshot.get(), generation: 9 });
    snapshot.set(cluster({ w2: ['192.0.2.22'], new: ['2001:db8::3'] }));
    abort.abort();
    expect(await nothing).toEqual([]);
  });

  it('tells a slow reader how things are, not all that was', async () => {
    const { snapshot, take } = watch(cluster({ w1: ['192.0.2.1'] }));
    expect(await take(1)).toEqual(['PEER_ADDED w1 192.0.2.1:4244']);
    for (let i = 0; i < 100; i++) snapshot.set(cluster({ [`x${i}`]: ['192.0.2.9'] }));
    snapshot.set(cluster({ w1: ['192.0.2.7'] }));
    expect(await take(1)).toEqual(['PEER_UPDATED w1 192.0.2.7:4244']);
  });

  it("names what a peer's certificate is for, as Cilium does", async () => {
    const { rows } = watch(cluster({ 'w1.example.com': ['192.0.2.1'] }), true);
    expect((await rows.next()).value).toMatchObject({
      name: 'w1.example.com',
      tlsServerName: 'w1-example-com.default.hubble-grpc.cilium.io',
    });
    expect(tlsServerName('w1', 'east.1')).toBe('w1.east-1.hubble-grpc.cilium.io');
  });
});
