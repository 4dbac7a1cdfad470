/** `zerohop relay` as an operator starts it, between nodes on fake sources and a client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GetFlowsRequest } from '../../src/flow/api.ts';
import { sampleFlow } from '../../src/flow/testing/sample-flow.ts';
import { type HubbleClient, openHubble } from '../../src/hubble/client.ts';
import type { ListenAddress } from '../../src/hubble/listen/listener.ts';
import type { PeerChange } from '../../src/hubble/observer-source.ts';
import { type HubbleServer, startHubbleServer } from '../../src/hubble/server.ts';
import { TestAuthority } from '../../src/hubble/testing/certificates.ts';
import { FakeSource } from '../../src/hubble/testing/fake-source.ts';
import { freePort } from '../../src/net/testing/free-ports.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import { runBatch } from './run-batch.ts';

const MAIN = new URL('../../src/cli/boot/zerohop.mjs', import.meta.url).pathname;
const log = { info: () => undefined, error: () => undefined };

let home = '';
const closers: (() => unknown)[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'zerohop-relay-'));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(home, { recursive: true });
});

interface TestNode {
  readonly name: string;
  readonly source: FakeSource;
  readonly server: HubbleServer;
  readonly change: PeerChange;
}

interface NodeOptions {
  /** Who it says that there is, and then that there is. */
  readonly peers?: Peers;
  /** TLS with this certificate's name, and clients of this authority. */
  readonly authority?: TestAuthority;
  /** What it has seen already. */
  readonly source?: FakeSource;
}

/** What a peer service tells: all there are, and whoever comes and goes. */
class Peers {
  readonly #known = new Map<string, PeerChange>();
  readonly #listeners = new Set<(change: PeerChange) => void>();

  tell(change: PeerChange): void {
    if (change.type === 'PEER_DELETED') this.#known.delete(change.name);
    else this.#known.set(change.name, change);
    for (const listener of this.#listeners) listener(change);
  }

  notify = async function* (this: Peers, signal: AbortSignal): AsyncGenerator<PeerChange, void, void> {
    const queue = [...this.#known.values()];
    let wake = (): void => undefined;
    const listener = (change: PeerChange) => {
      queue.push(change);
      wake();
    };
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => wake());
    while (!signal.aborted) {
      const change = queue.shift();
      if (change !== undefined) yield change;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    this.#listeners.delete(listener);
  }.bind(this);
}

const socketOf = (name: string) => join(home, `${name}.sock`);

/** A node that has seen a flow at each of the seconds after ten o'clock. */
async function startNode(
  name: string,
  seconds: readonly number[],
  options: NodeOptions = {},
): Promise<TestNode> {
  const { source = new FakeSource(), peers, authority } = options;
  for (const second of seconds) see(source, name, second);
  const listen: ListenAddress[] = [{ unix: socketOf(name) }];
  const serverName = `${name}.default.hubble-grpc.cilium.io`;
  if (authority !== undefined) {
    const tls = { ...authority.issue(serverName), clientCaFiles: [authority.caFile] };
    listen.push({ host: '127.0.0.1', port: 0, tls });
  }
  const server = await startHubbleServer({
    ...{ source, listen, clock: systemClock, log },
    ...(peers === undefined ? {} : { peers: peers.notify }),
  });
  closers.push(() => server.close());
  const [unix = '', tcp = ''] = server.targets;
  const place =
    authority === undefined
      ? { address: unix }
      : { address: tcp.replace('tls://', ''), tlsServerName: serverName };
  return { name, source, server, change: { name, type: 'PEER_ADDED', ...place } };
}

function see(source: FakeSource, node: string, second: number): void {
  const time = new Date(Date.UTC(2026, 2, 3, 10, 0, second)).toISOString();
  source.push({
    flow: sampleFlow({ time, node_name: node, Summary: `${node} ${second}` }),
    ...{ node_name: node, time },
  });
}

interface Running {
  readonly target: string;
  readonly process: ChildProcess;
  readonly lines: string[];
  readonly ended: Promise<number | null>;
}

async function startProgram(...args: readonly string[]): Promise<Omit<Running, 'target'>> {
  const child = spawn(process.execPath, [MAIN, ...args]);
  const lines: string[] = [];
  const take = (chunk: Buffer) => lines.push(...chunk.toString().split('\n').filter(Boolean));
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  closers.push(() => {
    child.kill('SIGKILL');
    return ended;
  });
  return { process: child, lines, ended };
}

async function startRelay(...args: readonly string[]): Promise<Running> {
  const unix = join(home, 'relay.sock');
  const running = await startProgram(
    'relay',
    '--listen-address',
    `unix://${unix}`,
    '--retry-timeout',
    '100ms',
    ...args,
  );
  await expect.poll(() => running.lines.join('\n'), LONG).toMatch(/relay serves at/);
  return { target: `unix://${unix}`, ...running };
}

function clientOf(target: string): HubbleClient {
  const client = openHubble(target);
  closers.push(() => client.close());
  return client;
}

/** Of the flows, or what is said of nodes. */
async function read(client: HubbleClient, request: GetFlowsRequest, signal = new AbortController().signal) {
  const seen: string[] = [];
  for await (const { flow, node_status: told } of client.flows(request, signal))
    seen.push(flow?.Summary ?? `${told?.state_change} ${told?.node_names.join()}`);
  return seen;
}

function follow(client: HubbleClient, request: GetFlowsRequest = {}) {
  const abort = new AbortController();
  const seen: string[] = [];
  const done = (async () => {
    for await (const { flow, node_status: told } of client.flows({ ...request, follow: true }, abort.signal))
      seen.push(flow?.Summary ?? `${told?.state_change} ${told?.node_names.join()}`);
  })().catch(() => undefined);
  closers.push(() => {
    abort.abort();
    return done;
  });
  return { seen, done };
}

const REFUSED: readonly { readonly args: readonly string[]; readonly says: string }[] = [
  { args: ['--listen-address', '127.0.0.1:4245'], says: 'only with --disable-server-tls' },
  {
    args: ['--listen-address', 'nowhere'],
    says: 'it is ADDRESS:PORT, :PORT or unix:///path: received "nowhere"',
  },
  { args: ['--peer-service', 'http://x'], says: 'the address is not understood' },
  { args: ['--tls-relay-server-cert-file', 'x'], says: '--tls-relay-server-key-file' },
  { args: ['--tls-hubble-client-key-file', 'x'], says: '--tls-hubble-client-key-file' },
  {
    args: ['--disable-server-tls', '--tls-relay-client-ca-files', 'x'],
    says: 'files of TLS are given beside it',
  },
  {
    args: ['--disable-client-tls', '--tls-hubble-server-ca-files', 'x'],
    says: 'files of TLS are given beside it',
  },
  { args: ['--health-listen-address', 'x'], says: '--health-listen-address: it is ADDRESS:PORT or :PORT' },
  { args: ['--retry-timeout', 'soon'], says: '--retry-timeout: it is a duration' },
  { args: ['--log-level', 'loud'], says: '--log-level: it is one of' },
  { args: ['--sort-buffer-len-max', '100'], says: "unknown option '--sort-buffer-len-max'" },
];

const LONG = { timeout: 20_000 };

describe('zerohop relay', { timeout: 60_000 }, () => {
  it('merges the nodes that an agent names, sums them up, and ends when it is told to, whoever follows', async () => {
    const peers = new Peers();
    peers.tell((await startNode('a', [1, 3, 5], { peers })).change);
    peers.tell((await startNode('b', [2, 4])).change);
    const port = await freePort();
    const relay = await startRelay(
      ...['--peer-service', `unix://${socketOf('a')}`, '--health-listen-address', `127.0.0.1:${port}`],
    );
    const probe = clientOf(`127.0.0.1:${port}`);
    expect(await probe.health()).toBe('SERVING');
    await expect(read(probe, {})).rejects.toMatchObject({ code: 'HUBBLE_UNSUPPORTED' });
    const client = clientOf(relay.target);
    await expect.poll(async () => (await client.status()).connectedNodes, LONG).toBe(2);
    expect(await read(client, {})).toEqual(['a 1', 'b 2', 'a 3', 'b 4', 'a 5']);
    expect(await read(client, { number: 2 })).toEqual(['b 4', 'a 5']);
    expect(await read(client, { number: 3, first: true })).toEqual(['a 1', 'b 2', 'a 3']);
    expect(await read(client, { since: '2026-03-03T10:00:04Z' })).toEqual(['b 4', 'a 5']);
    expect(await client.status()).toMatchObject({ numFlows: 6, unavailableNodes: [] });
    expect(await client.nodes()).toMatchObject([
      { name: 'a', state: 'NODE_CONNECTED', address: `unix://${socketOf('a')}` },
      { name: 'b', state: 'NODE_CONNECTED' },
    ]);
    expect(await client.namespaces()).toEqual([{ cluster: 'default', namespace: 'shop' }]);
    expect(await client.health()).toBe('SERVING');
    await expect(read(client, { whitelist: [{ source_port: ['http'] }] })).rejects.toMatchObject({
      code: 'FLOW_FILTER_INVALID',
      message: expect.stringContaining('"http" is not a port'),
    });
    const { seen, done } = follow(client, { number: 1 });
    await expect.poll(() => seen, LONG).toEqual(['a 5']);
    relay.process.kill('SIGTERM');
    expect(await relay.ended).toBe(0);
    await done;
    expect(relay.lines.join('\n')).toContain('ends after SIGTERM');
  });

  it('is what observe asks like any server, and tells of a node that is away on standard error', async () => {
    const peers = new Peers();
    peers.tell((await startNode('a', [1, 3], { peers })).change);
    peers.tell({ name: 'b\x1b[2J', address: `unix://${socketOf('nobody')}`, type: 'PEER_ADDED' });
    const relay = await startRelay('--peer-service', `unix://${socketOf('a')}`);
    await expect.poll(async () => (await clientOf(relay.target).nodes()).length, LONG).toBe(2);
    const { lines, ended } = await startProgram(
      'observe',
      '--server',
      relay.target,
      '--last',
      '1',
      '--print-node-name',
    );
    expect(await ended).toBe(0);
    expect(lines.sort()).toEqual([
      'Mar  3 10:00:03.000 [a]: shop/cart-6d4b7c8f9-x2x7k:41022 (ID:21873) -> kube-system/node-local-dns-9kq2t:53 (ID:51200) from-endpoint FORWARDED (a 3)',
      expect.stringMatching(
        /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{3} \[relay\]: 1 nodes are unavailable: b\^\[\[2J$/,
      ),
    ]);
  });

  it('follows nodes over their restart, their coming and their going', async () => {
    const peers = new Peers();
    const service = await startNode('service', [], { peers });
    const first = await startNode('a', []);
    peers.tell(first.change);
    const relay = await startRelay('--peer-service', service.server.targets[0] ?? '');
    const client = clientOf(relay.target);
    await expect.poll(async () => (await client.status()).connectedNodes, LONG).toBe(1);
    const { seen } = follow(client);
    await expect.poll(() => first.source.asked.length, LONG).toBe(1);
    see(first.source, 'a', 1);
    await expect.poll(() => seen, LONG).toEqual(['a 1']);

    await first.server.close();
    await expect.poll(() => seen.at(-1), LONG).toBe('NODE_UNAVAILABLE a');
    expect((await client.status()).unavailableNodes).toEqual(['a']);
    see(first.source, 'a', 2);
    await startNode('a', [], { source: first.source });
    await expect.poll(() => seen.slice(2).sort(), LONG).toEqual(['NODE_CONNECTED a', 'a 2']);

    const second = await startNode('b', []);
    peers.tell(second.change);
    await expect.poll(() => second.source.asked.length, LONG).toBe(1);
    see(second.source, 'b', 3);
    await expect.poll(() => seen.slice(4).sort(), LONG).toEqual(['NODE_CONNECTED b', 'b 3']);
    peers.tell({ ...second.change, type: 'PEER_DELETED' });
    await expect.poll(() => seen.at(-1), LONG).toBe('NODE_GONE b');
    expect((await client.nodes()).map(({ name }) => name)).toEqual(['a']);
  });

  it('keeps its nodes while the peer service is away, and hears of new ones when it is back', async () => {
    const peers = new Peers();
    const service = await startNode('service', [], { peers });
    peers.tell((await startNode('a', [1])).change);
    const relay = await startRelay('--peer-service', service.server.targets[0] ?? '');
    const client = clientOf(relay.target);
    await expect.poll(async () => (await client.status()).connectedNodes, LONG).toBe(1);
    await service.server.close();
    await expect.poll(() => relay.lines.join('\n'), LONG).toContain('the peers stay the 1 that are known');
    expect(await read(client, {})).toEqual(['a 1']);
    peers.tell((await startNode('b', [2])).change);
    await startNode('service', [], { peers });
    await expect.poll(() => read(client, {}), LONG).toEqual(['a 1', 'b 2']);
    expect(relay.lines.join('\n')).toContain('the peer service is back');
  });

  it('speaks TLS to nodes by the names in their certificates, with one of its own, and to its clients', async () => {
    const [ours, theirs] = [new TestAuthority(home, 'ours'), new TestAuthority(home, 'theirs')];
    const peers = new Peers();
    const service = await startNode('service', [], { peers });
    peers.tell((await startNode('a', [1], { authority: ours })).change);
    const b = await startNode('b', [2], { authority: ours });
    peers.tell({ ...b.change, tlsServerName: 'somebody-else' });
    peers.tell((await startNode('c', [3], { authority: theirs })).change);
    const [shown, served] = [ours.issue('relay'), ours.issue('hubble-relay')];
    const port = await freePort();
    await startRelay(
      ...['--peer-service', service.server.targets[0] ?? '', '--listen-address', `127.0.0.1:${port}`],
      ...['--tls-hubble-client-cert-file', shown.certFile, '--tls-hubble-client-key-file', shown.keyFile],
      ...['--tls-hubble-server-ca-files', ours.caFile, '--tls-relay-client-ca-files', ours.caFile],
      ...['--tls-relay-server-cert-file', served.certFile, '--tls-relay-server-key-file', served.keyFile],
    );
    const client = openHubble(`tls://127.0.0.1:${port}`, { caFiles: [ours.caFile], ...shown });
    closers.push(() => client.close());
    await expect
      .poll(async () => (await client.nodes()).map(({ name, state }) => `${name} ${state}`), LONG)
      .toEqual(['a NODE_CONNECTED', 'b NODE_UNAVAILABLE', 'c NODE_UNAVAILABLE']);
    const told = await read(client, {});
    expect(told).toContain('a 1');
    // The two are told of together, or one after the other on a busy machine.
    const away = told.filter((line) => line !== 'a 1').map((line) => line.replace('NODE_UNAVAILABLE ', ''));
    expect(away.join().split(',').sort()).toEqual(['b', 'c']);
    const stranger = openHubble(`tls://127.0.0.1:${port}`, { caFiles: [ours.caFile] });
    closers.push(() => stranger.close());
    await expect(stranger.health()).rejects.toMatchObject({ code: 'HUBBLE_UNREACHABLE' });
  });

  it('refuses by name what it cannot do', async () => {
    const socket = ['--listen-address', `unix://${join(home, 'relay.sock')}`];
    const results = await runBatch(
      REFUSED.map(({ args }) => ({
        command: 'relay',
        args: [...(args.includes('--listen-address') ? [] : socket), ...args],
      })),
    );
    for (const [n, { args, says }] of REFUSED.entries())
      expect([args, results[n]]).toEqual([args, { code: 1, out: [], err: expect.stringContaining(says) }]);
    expect(results.map(({ err }) => err).join('')).not.toMatch(/\n\s+at /);
  });
});
