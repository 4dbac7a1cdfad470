/** Hubble's API of a node, from its sockets to its flows, between a scripted cluster and the fake kernel. */
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GetFlowsRequest } from '../../flow/api.ts';
import { SAMPLE_CLUSTER } from '../../flow/testing/sample-cluster.ts';
import { CACHE, packet } from '../../flow/testing/sample-packet.ts';
import type { PeerChange } from '../../hubble/observer-source.ts';
import { parseListenAddress } from '../../net/listen-address.ts';
import { freePort } from '../../net/testing/free-ports.ts';
import { createAgentClient } from '../client.ts';
import { discoverAgents } from '../discover.ts';
import { NodeBench, WITH_POLICY } from '../testing/node-bench.ts';

const NEVER = new AbortController().signal;

let bench: NodeBench;
beforeEach(() => {
  bench = new NodeBench();
});
afterEach(() => bench.end());

/** As many as there are before the stream waits. */
async function take<T>(rows: AsyncIterable<T>, count: number): Promise<readonly T[]> {
  const taken: T[] = [];
  for await (const row of rows) if (taken.push(row) === count) break;
  return taken;
}

describe('startNodeHubble', () => {
  it('is found by way of the agent, and answers with its flows', async () => {
    await bench.start();
    bench.datapath.emit(packet());
    const [found] = await discoverAgents({ env: {}, server: bench.socketPath });
    expect(found).toMatchObject({ node: 'k8s-w1', hubble: `unix://${bench.hubblePath}` });
    const client = bench.open(found?.hubble);
    const flows = await take(client.flows({}, NEVER), 9);
    expect(flows.map(({ flow }) => flow?.Summary)).toEqual(['UDP', 'DNS Query google.com. A']);
    expect(await client.status()).toMatchObject({ seenFlows: 2 });
    expect(await client.health()).toBe('SERVING');
  });

  it('is for its own user alone: names that pods ask for are personal data', async () => {
    await bench.start();
    expect(statSync(bench.hubblePath).mode & 0o777).toBe(0o600);
    expect(statSync(join(bench.directory, 'hubble')).mode & 0o777).toBe(0o700);
  });

  it('counts its streams among the followers of the agent', async () => {
    await bench.start();
    const agent = createAgentClient(bench.socketPath);
    const abort = new AbortController();
    const reading = take(bench.open().flows({ follow: true }, abort.signal), 1);
    await expect.poll(async () => (await agent.status()).flows.followers).toBe(1);
    abort.abort();
    await reading;
    await expect.poll(async () => (await agent.status()).flows.followers).toBe(0);
  });

  it('leaves the sockets of a second agent of the same node alone: that one is refused by the first of them', async () => {
    await bench.start();
    const twin = new NodeBench();
    try {
      await expect(twin.start({}, { socketPath: bench.socketPath })).rejects.toMatchObject({
        code: 'AGENT_SOCKET_TAKEN',
      });
      await expect(twin.start({ socketPath: bench.hubblePath })).rejects.toMatchObject({
        code: 'HUBBLE_SOCKET_TAKEN',
      });
    } finally {
      await twin.end();
    }
    expect(await bench.open().health()).toBe('SERVING');
  });
});

describe('flows', () => {
  it('come out of the ring as asked for', async () => {
    await bench.start();
    bench.datapath.emit(packet());
    bench.datapath.emit(packet({ verdict: 'redirected', translated: CACHE, deliveredIfindex: 8 }));
    const summaries = async (request: GetFlowsRequest) =>
      (await take(bench.open().flows(request, NEVER), 99)).map(({ flow }) => flow?.Summary);
    expect(await summaries({ number: 2 })).toEqual(['UDP', 'DNS Query google.com. A']);
    expect(await summaries({ whitelist: [{ protocol: ['dns'] }] })).toHaveLength(2);
    const entered = { destination_pod: ['kube-system/node-local-dns'], event_type: [{ type: 4 }] };
    expect(await summaries({ whitelist: [entered] })).toEqual(['UDP']);
  });

  it('tell a follower what the ring had no room for, and when the agent ends', async () => {
    await bench.start();
    const rows = bench.open().flows({ follow: true, number: 1 }, NEVER)[Symbol.asyncIterator]();
    bench.datapath.emit(packet());
    expect((await rows.next()).value).toMatchObject({ flow: { Summary: 'DNS Query google.com. A' } });
    bench.datapath.emit(packet(), 3);
    expect((await rows.next()).value).toMatchObject({ lost_events: { num_events_lost: '3' } });
    expect((await rows.next()).value).toMatchObject({ flow: { Summary: 'UDP' } });
    const rest = (async () => {
      while ((await rows.next()).done !== true);
    })();
    await Promise.all([expect(rest).rejects.toMatchObject({ code: 'HUBBLE_UNREACHABLE' }), bench.halt()]);
  });

  it('are not held up by a reader that does not read', async () => {
    await bench.start();
    const stuck = bench.open().flows({ follow: true }, NEVER)[Symbol.asyncIterator]();
    const agent = createAgentClient(bench.socketPath);
    const first = stuck.next();
    await expect.poll(async () => (await agent.status()).flows.followers).toBe(1);
    for (let n = 0; n < 5000; n++) bench.datapath.emit(packet());
    await first;
    const newest = await take(bench.open().flows({ number: 1 }, NEVER), 2);
    expect(newest.map(({ flow }) => flow?.Summary)).toEqual(['DNS Query google.com. A']);
  });
});

describe("Cilium's socket", () => {
  const place = () => join(bench.directory, 'cilium', 'hubble.sock');

  it('is served beside our own when nobody does', async () => {
    await bench.start({ ciliumSocket: place() });
    expect(await bench.open(`unix://${place()}`).health()).toBe('SERVING');
    expect(bench.warnings).toEqual([]);
    await bench.stop();
    expect(statSync(place(), { throwIfNoEntry: false })).toBeUndefined();
  });

  it('stays with a Cilium that lives', async () => {
    mkdirSync(join(bench.directory, 'cilium'));
    const cilium = await listen(place());
    try {
      await bench.start({ ciliumSocket: place() });
      expect(bench.warnings).toEqual([expect.stringContaining(place())]);
      expect(await bench.open().health()).toBe('SERVING');
      await bench.stop();
      expect(statSync(place()).isSocket()).toBe(true);
    } finally {
      cilium.close();
    }
  });

  it('goes to a Cilium that comes later, and is left to it when we end', async () => {
    await bench.start({ ciliumSocket: place() });
    rmSync(place());
    const cilium = await listen(place());
    try {
      await bench.stop();
      expect(statSync(place()).isSocket()).toBe(true);
    } finally {
      cilium.close();
    }
  });

  it('is left behind by neither a crash nor a file', async () => {
    mkdirSync(join(bench.directory, 'cilium'));
    writeFileSync(place(), '');
    await bench.start({ ciliumSocket: place() });
    expect(bench.warnings).toEqual([expect.stringContaining('another kind')]);
  });
});

function listen(path: string): Promise<Server> {
  const server = createServer();
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

describe('peers', () => {
  it('are the nodes at the port that this one has, and change with them', async () => {
    const port = await freePort();
    const address = parseListenAddress(`127.0.0.1:${port}`);
    if (address === undefined) throw new Error('no address');
    await bench.start({ listenAddress: address });
    const changes: PeerChange[] = [];
    const abort = new AbortController();
    const watching = (async () => {
      for await (const change of bench.open(`127.0.0.1:${port}`).peers(abort.signal)) changes.push(change);
    })();
    const [first] = SAMPLE_CLUSTER.nodes.values();
    if (first === undefined) throw new Error('no node');
    await expect.poll(() => changes.length).toBe(SAMPLE_CLUSTER.nodes.size);
    expect(changes).toContainEqual({
      ...{ name: first.name, address: `${first.internalIPs[0]}:${port}`, type: 'PEER_ADDED' },
    });
    bench.snapshot.set({ ...SAMPLE_CLUSTER, generation: 2, nodes: new Map() });
    await expect.poll(() => changes.length).toBe(2 * SAMPLE_CLUSTER.nodes.size);
    expect(changes.at(-1)?.type).toBe('PEER_DELETED');
    abort.abort();
    await watching;
  });

  it('are unknown to an agent that no other can reach', async () => {
    await bench.start();
    await expect(take(bench.open().peers(NEVER), 1)).rejects.toMatchObject({ code: 'HUBBLE_UNSUPPORTED' });
  });
});

describe('conditions of our own', () => {
  it('find the queries that passed the cache by, also when the policy is gone since', async () => {
    await bench.start();
    const bypassed = async () => {
      const rows = await take(bench.open().flows({ narrow: { bypassed: true } }, NEVER), 99);
      return rows.map(({ flow }) => flow?.IP.destination);
    };
    const entered = packet({ verdict: 'redirected', translated: CACHE, deliveredIfindex: 8 });
    bench.datapath.emit(packet());
    bench.snapshot.set(WITH_POLICY);
    await expect.poll(() => bench.kernel.frontends.size).toBe(2);
    bench.datapath.emit(entered);
    expect(await bypassed()).toEqual(['10.96.0.10']);
    bench.snapshot.set({ ...SAMPLE_CLUSTER, generation: 3 });
    await expect.poll(() => bench.kernel.frontends.size).toBe(0);
    expect(await bypassed()).toEqual(['10.96.0.10']);
  });
});

describe('an agent that records nothing', () => {
  it('says so instead of looking as if nothing had happened', async () => {
    await bench.start({}, { recordFlows: false });
    bench.datapath.emit(packet());
    const client = bench.open();
    for (const request of [{}, { follow: true }, { number: 20 }]) {
      await expect(take(client.flows(request, NEVER), 1)).rejects.toMatchObject({
        code: 'HUBBLE_NOT_RECORDING',
        message: expect.stringContaining('--no-flows'),
      });
    }
    expect(await client.health()).toBe('SERVING');
    expect(await client.status()).toMatchObject({ numFlows: 0, maxFlows: 0, seenFlows: 0, flowsRate: 0 });
    expect(await client.namespaces()).toEqual([]);
    expect(await client.nodes()).toMatchObject([{ name: 'k8s-w1', maxFlows: 0 }]);
  });
});
