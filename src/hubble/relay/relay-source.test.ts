import { describe, expect, it } from 'vitest';
import { AppError } from '../../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../../flow/api.ts';
import { sampleFlow } from '../../flow/testing/sample-flow.ts';
import { formatTime, parseTime } from '../../flow/time.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { PeerSet, type RelayPeer } from './peer-set.ts';
import { createRelaySource } from './relay-source.ts';

/** A node whose flows are one a second, at the given seconds; it may be away, and may be told of more. */
class FakeNode {
  seconds: number[];
  isAway = false;
  readonly name: string;
  readonly requests: GetFlowsRequest[] = [];
  #wake = new Set<() => void>();

  constructor(name: string, seconds: readonly number[] = []) {
    this.name = name;
    this.seconds = [...seconds];
  }

  see(second: number): void {
    this.seconds.push(second);
    this.#wakeAll();
  }

  goAway(): void {
    this.isAway = true;
    this.#wakeAll();
  }

  #wakeAll(): void {
    const all = [...this.#wake];
    this.#wake.clear();
    for (const wake of all) wake();
  }

  get client(): RelayPeer['client'] {
    const node = this;
    const status = async () => {
      if (node.isAway) throw away();
      return { numFlows: 2, maxFlows: 10, seenFlows: 5, uptimeNs: 7n, version: '1', flowsRate: 0.5 };
    };
    return {
      async *flows(request, signal) {
        node.requests.push(request);
        if (node.isAway) throw away();
        const number = Number(request.number ?? 0);
        const since = parseTime(request.since ?? '') ?? -1n;
        let next = number > 0 && request.first !== true ? Math.max(0, node.seconds.length - number) : 0;
        if (request.follow === true && number === 0 && since < 0n) next = node.seconds.length;
        for (;;) {
          for (; next < node.seconds.length; next++) {
            const timeNs = BigInt(node.seconds[next] ?? 0) * 1_000_000_000n;
            const time = formatTime(timeNs);
            if (timeNs >= since) yield { flow: sampleFlow({ time }), node_name: node.name, time };
          }
          if (request.follow !== true || signal.aborted) return;
          await new Promise<void>((resolve) => {
            node.#wake.add(resolve);
            signal.addEventListener('abort', () => resolve());
          });
          if (node.isAway) throw away();
        }
      },
      status,
      nodes: async () => [],
      namespaces: async () => [{ cluster: 'default', namespace: `of-${node.name}` }],
      close: () => undefined,
    };
  }
}

const away = () => new AppError('HUBBLE_UNREACHABLE', 'Cannot ask Hubble: nobody answers');

function relayOf(...nodes: readonly FakeNode[]) {
  const all = new Map(nodes.map((node) => [node.name, node]));
  const peers = new PeerSet(({ name }) => (all.get(name) ?? new FakeNode(name)).client);
  const add = (node: FakeNode) => {
    all.set(node.name, node);
    peers.apply({ name: node.name, address: `${node.name}:4244`, type: 'PEER_ADDED' });
  };
  for (const node of nodes) add(node);
  const relay = createRelaySource({ peers, version: '9', clock: systemClock, windowMs: 20, retryMs: 5 });
  return { relay, peers, add };
}

/** `node second`, or what is said of nodes. */
function label({ flow, node_status, node_name, time }: GetFlowsResponse): string {
  if (node_status !== undefined) return `${node_status.state_change} ${node_status.node_names.join()}`;
  return flow === undefined ? 'lost' : `${node_name} ${Date.parse(time) / 1000}`;
}

async function read(request: GetFlowsRequest, ...nodes: readonly FakeNode[]): Promise<readonly string[]> {
  const rows: string[] = [];
  const { relay } = relayOf(...nodes);
  for await (const response of relay.flows(request, new AbortController().signal)) rows.push(label(response));
  return rows;
}

describe('flows of a relay', () => {
  const [a, b] = [() => new FakeNode('a', [1, 3, 5]), () => new FakeNode('b', [2, 4, 6])];

  it('come in the order of time', async () => {
    expect(await read({}, a(), b())).toEqual(['a 1', 'b 2', 'a 3', 'b 4', 'a 5', 'b 6']);
  });

  it('are as many as were asked for, in all', async () => {
    expect(await read({ number: 2 }, a(), b())).toEqual(['a 5', 'b 6']);
    expect(await read({ number: 2, first: true }, a(), b())).toEqual(['a 1', 'b 2']);
  });

  it('come from those that are there, and who is not is told of', async () => {
    const gone = b();
    gone.isAway = true;
    const rows = await read({}, a(), gone);
    expect(rows).toContain('NODE_UNAVAILABLE b');
    expect(rows.filter((row) => !row.startsWith('NODE'))).toEqual(['a 1', 'a 3', 'a 5']);
  });

  it('are followed over a node that goes and comes back, and to one that joins', async () => {
    const [one, two] = [new FakeNode('a'), new FakeNode('b')];
    const { relay, add } = relayOf(one);
    const abort = new AbortController();
    const rows: string[] = [];
    const following = (async () => {
      for await (const response of relay.flows({ follow: true }, abort.signal)) rows.push(label(response));
    })();
    await expect.poll(() => one.requests.length).toBe(1);
    one.see(10);
    await expect.poll(() => rows).toEqual(['a 10']);
    one.goAway();
    await expect.poll(() => rows.at(-1)).toBe('NODE_UNAVAILABLE a');
    one.seconds.push(11);
    one.isAway = false;
    await expect.poll(() => rows.slice(-2)).toEqual(['NODE_CONNECTED a', 'a 11']);
    add(two);
    await expect.poll(() => two.requests.length).toBe(1);
    two.see(12);
    await expect.poll(() => rows.slice(-2)).toEqual(['NODE_CONNECTED b', 'b 12']);
    abort.abort();
    await following;
    expect(rows).toHaveLength(6);
  });

  it('end at once when the request is refused', async () => {
    const { relay, peers } = relayOf(new FakeNode('a'));
    const [peer] = peers.list();
    const refused = new AppError('FLOW_REQUEST_INVALID', 'Cannot read the filter');
    Object.assign(peer?.client ?? {}, {
      async *flows() {
        yield* [];
        throw refused;
      },
    });
    const stream = relay.flows({ follow: true }, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(stream.next()).rejects.toBe(refused);
  });
});

describe('what a relay says of its nodes', () => {
  it('is summed up, those that are away by name', async () => {
    const [one, two] = [new FakeNode('a'), new FakeNode('b')];
    two.isAway = true;
    const { relay } = relayOf(one, two);
    expect(await relay.status()).toMatchObject({
      ...{ numFlows: 2, maxFlows: 10, seenFlows: 5, uptimeNs: 7n, version: '9', flowsRate: 0.5 },
      ...{ connectedNodes: 1, unavailableNodes: ['b'] },
    });
    expect((await relay.nodes()).map(({ name, state }) => `${name} ${state}`)).toEqual([
      'a NODE_CONNECTED',
      'b NODE_UNAVAILABLE',
    ]);
    expect((await relay.namespaces()).map(({ namespace }) => namespace)).toEqual(['of-a', 'of-b']);
  });
});
