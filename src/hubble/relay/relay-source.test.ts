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
  /** It takes a request and says nothing more. */
  hangs = false;
  /** What its streams end with, after what it has seen. */
  failure: AppError | undefined;
  readonly name: string;
  readonly requests: GetFlowsRequest[] = [];
  statusRequests = 0;
  /** Streams that have not ended. */
  open = 0;
  /** Called when it is followed, before it looks at what it has. */
  onFollow = (): void => undefined;
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
      node.statusRequests++;
      if (node.isAway) throw away();
      return { numFlows: 2, maxFlows: 10, seenFlows: 5, uptimeNs: 7n, version: '1', flowsRate: 0.5 };
    };
    return {
      async *flows(request, signal) {
        node.open++;
        try {
          yield* node.#flows(request, signal);
        } finally {
          node.open--;
        }
      },
      status,
      nodes: async () => [],
      namespaces: async () => [{ cluster: 'default', namespace: `of-${node.name}` }],
      close: () => undefined,
    };
  }

  async *#flows(request: GetFlowsRequest, signal: AbortSignal): AsyncGenerator<GetFlowsResponse, void, void> {
    this.requests.push(request);
    if (request.follow === true) this.onFollow();
    if (this.isAway) throw away();
    if (this.hangs) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    const number = Number(request.number ?? 0);
    const since = parseTime(request.since ?? '') ?? -1n;
    const isNewest = number > 0 && request.first !== true && since < 0n;
    let next = isNewest ? Math.max(0, this.seconds.length - number) : 0;
    if (request.follow === true && number === 0 && since < 0n) next = this.seconds.length;
    for (;;) {
      for (; next < this.seconds.length; next++) {
        const timeNs = BigInt(this.seconds[next] ?? 0) * 1_000_000_000n;
        const time = formatTime(timeNs);
        if (timeNs >= since) yield { flow: sampleFlow({ time }), node_name: this.name, time };
      }
      if (this.failure !== undefined) throw this.failure;
      if (request.follow !== true || signal.aborted) return;
      await new Promise<void>((resolve) => {
        this.#wake.add(resolve);
        signal.addEventListener('abort', () => resolve());
      });
      if (this.isAway) throw away();
    }
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

  it('are the oldest or newest of all that there are, and the oldest of a time', async () => {
    expect(await read({ number: '18446744073709551615' }, a(), b())).toHaveLength(6);
    expect(await read({ number: 2, since: '1970-01-01T00:00:04Z' }, a(), b())).toEqual(['b 4', 'a 5']);
  });

  it('are of each node as many, when so many are asked for that nobody could hold them', async () => {
    const many = (name: string, count: number) =>
      new FakeNode(
        name,
        Array.from({ length: count }, (_, i) => i),
      );
    expect(await read({ number: 4_000_000_000 }, many('a', 30), many('b', 30))).toHaveLength(60);
  });

  it('are held back for few at a time, not all for one, and those who ask again later get them', async () => {
    const { relay } = relayOf(a());
    const ask = (client: string, number = 10_000) =>
      relay.flows({ number }, new AbortController().signal, client)[Symbol.asyncIterator]();
    const busy = { code: 'HUBBLE_BUSY' };
    const readers = Array.from({ length: 7 }, () => ask('slow'));
    for (const reader of readers) expect(await reader.next()).toMatchObject({ done: false });
    await expect(ask('slow').next()).rejects.toMatchObject(busy);
    const others = Array.from({ length: 3 }, () => ask('other'));
    for (const reader of others) expect(await reader.next()).toMatchObject({ done: false });
    await expect(ask('third').next()).rejects.toMatchObject(busy);
    await expect(ask('third', 20).next()).rejects.toMatchObject(busy);
    for (const reader of readers) await reader.return?.();
    expect(await ask('slow').next()).toMatchObject({ done: false });
  });

  it('leave no stream of a node open when there are enough', async () => {
    const more = Array.from({ length: 500 }, (_, i) => i);
    const [one, two] = [new FakeNode('a', more), new FakeNode('b', more)];
    expect(await read({ number: 1, first: true }, one, two)).toEqual(['a 0']);
    await expect.poll(() => [one.open, two.open]).toEqual([0, 0]);
  });

  it('are followed without a gap behind a history in which a node had none', async () => {
    const [one, two] = [a(), new FakeNode('b')];
    const second = Math.floor(Date.now() / 1000);
    two.onFollow = () => two.see(second);
    const { relay } = relayOf(one, two);
    const abort = new AbortController();
    const rows: string[] = [];
    for await (const each of relay.flows({ follow: true, number: 3 }, abort.signal)) {
      rows.push(label(each));
      if (rows.length === 4) abort.abort();
    }
    expect(rows).toEqual(['a 1', 'a 3', 'a 5', `b ${second}`]);
  });

  it('are followed after the newest N in all, none twice and none left out', async () => {
    const [one, two] = [a(), b()];
    const { relay } = relayOf(one, two);
    const abort = new AbortController();
    const rows: string[] = [];
    const following = (async () => {
      for await (const each of relay.flows({ follow: true, number: 3 }, abort.signal)) rows.push(label(each));
    })();
    await expect.poll(() => [one, two].map(({ requests }) => requests.length)).toEqual([2, 2]);
    one.see(7);
    two.see(8);
    await expect.poll(() => rows).toEqual(['b 4', 'a 5', 'b 6', 'a 7', 'b 8']);
    abort.abort();
    await following;
    expect(one.requests.map(({ since }) => since)).toEqual([undefined, '1970-01-01T00:00:05.000000001Z']);
  });

  it('do not wait for a node that hangs', { timeout: 20_000 }, async () => {
    const hung = b();
    hung.hangs = true;
    const rows = await read({ first: true, number: 2 }, a(), hung);
    expect(rows).toEqual(['NODE_UNAVAILABLE b', 'a 1', 'a 3']);
  });

  it('are given of the others when one node makes a mistake', async () => {
    const broken = b();
    broken.failure = new AppError('HUBBLE_REFUSED', 'Cannot ask Hubble: the server made a mistake');
    const rows = await read({}, a(), broken);
    expect(rows.filter((row) => !row.startsWith('NODE'))).toEqual(['a 1', 'b 2', 'a 3', 'b 4', 'a 5', 'b 6']);
    expect(rows.filter((row) => row.startsWith('NODE'))).toEqual(['NODE_ERROR b']);
  });

  it('are given of the others when one node refuses the request, and refused when all do', async () => {
    const [one, two, three] = [new FakeNode('a', [1]), new FakeNode('b'), new FakeNode('c')];
    const refusal = new AppError('FLOW_FILTER_UNKNOWN_FIELD', 'Cannot read the filter');
    two.failure = refusal;
    three.failure = refusal;
    expect(await read({}, one, two, three)).toEqual(['NODE_ERROR b,c', 'a 1']);
    await expect(read({}, two, three)).rejects.toBe(refusal);
  });

  it('are refused when there is nobody to ask', async () => {
    await expect(read({})).rejects.toMatchObject({ code: 'HUBBLE_UNREACHABLE' });
    await expect(read({ first: true, follow: true }, a())).rejects.toMatchObject({
      code: 'HUBBLE_REQUEST_INVALID',
    });
  });

  it('are refused for a filter that cannot be read, whoever is away, before any node is asked', async () => {
    const [one, two] = [a(), b()];
    two.isAway = true;
    const { relay } = relayOf(one, two);
    const request = { follow: true, whitelist: [{ source_port: ['http'] }] };
    const stream = relay.flows(request, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(stream.next()).rejects.toMatchObject({ code: 'FLOW_FILTER_INVALID' });
    expect([...one.requests, ...two.requests]).toEqual([]);
  });

  it('tell in one word of nodes that are away together', async () => {
    const nodes = ['a', 'b', 'c'].map((name) => new FakeNode(name));
    for (const node of nodes) node.isAway = true;
    expect(await read({}, ...nodes)).toEqual(['NODE_UNAVAILABLE a,b,c']);
  });

  it('are followed behind their history with one word of a node that is away', async () => {
    const [one, two] = [a(), b()];
    two.isAway = true;
    const { relay } = relayOf(one, two);
    const abort = new AbortController();
    const rows: string[] = [];
    const following = (async () => {
      for await (const each of relay.flows({ follow: true, number: 1 }, abort.signal)) rows.push(label(each));
    })();
    await expect.poll(() => two.requests.length).toBeGreaterThan(3);
    one.see(7);
    await expect.poll(() => rows.at(-1)).toBe('a 7');
    two.isAway = false;
    await expect.poll(() => rows.at(-1)).toBe('NODE_CONNECTED b');
    abort.abort();
    await following;
    expect(rows).toEqual(['NODE_UNAVAILABLE b', 'a 5', 'a 7', 'NODE_CONNECTED b']);
  });

  it('are followed over a node that leaves the cluster', async () => {
    const [one, two] = [new FakeNode('a'), new FakeNode('b')];
    const { relay, peers } = relayOf(one, two);
    const abort = new AbortController();
    const rows: string[] = [];
    const following = (async () => {
      for await (const each of relay.flows({ follow: true }, abort.signal)) rows.push(label(each));
    })();
    await expect.poll(() => two.requests.length).toBe(1);
    peers.apply({ name: 'b', address: 'b:4244', type: 'PEER_DELETED' });
    await expect.poll(() => rows).toEqual(['NODE_GONE b']);
    one.see(1);
    await expect.poll(() => rows.at(-1)).toBe('a 1');
    abort.abort();
    await following;
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
    await expect.poll(() => rows.slice(-2).sort()).toEqual(['NODE_CONNECTED a', 'a 11']);
    add(two);
    await expect.poll(() => two.requests.length).toBe(1);
    two.see(12);
    await expect.poll(() => rows.slice(-2).sort()).toEqual(['NODE_CONNECTED b', 'b 12']);
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
  it('is asked of each node once, however many ask at once, and anew of those who ask later', async () => {
    const node = new FakeNode('a');
    const { relay } = relayOf(node);
    const answers = await Promise.all(
      Array.from({ length: 500 }, () => [relay.status(), relay.nodes()]).flat(),
    );
    expect(answers).toHaveLength(1000);
    expect(node.statusRequests).toBe(1);
    node.goAway();
    expect(await relay.nodes()).toMatchObject([{ state: 'NODE_UNAVAILABLE' }]);
    expect(node.statusRequests).toBe(2);
  });

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
