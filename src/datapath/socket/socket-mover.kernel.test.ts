/** Sockets in the network of the host that were connected before a redirect: whom it ends, and whom never. */
import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Datapath } from '../datapath.ts';
import type { OtherBackends } from './other-backends.ts';
import {
  BY_CACHE,
  BY_CLUSTER,
  bothFamilies,
  CACHE,
  CLUSTER,
  frontend,
  ip,
  OTHER_VIP,
  portOf,
  type SocketClient,
  SocketRig,
  VIP,
  VIP6,
} from './testing/socket-rig.ts';

const NOTHING = { frontends: [], pods: [], mayPrune: true } as const;
const MAPPED_VIP = `::ffff:${VIP}`;
const ABORTED = { error: 'ECONNABORTED' };
const NO_SERVICE: OtherBackends = () => [];
/** The service has a backend on another node, of IPv4. */
const REMOTE: OtherBackends = ({ address }) =>
  address === VIP ? [{ address: ip(CLUSTER), port: portOf(53) }] : [];

const rig = new SocketRig('move', 'inside');
let host: SocketClient;
let cache: readonly ChildProcess[];
let other: Datapath | undefined;

beforeAll(async () => {
  await rig.startServers();
  cache = await rig.startCache();
}, 60_000);

beforeEach(() => {
  host = rig.client();
});

// What it has connected is not to be looked at in the next test.
afterEach(async () => {
  await rig.kill(host);
  other?.remove();
  other = undefined;
});

afterAll(() => rig.close(), 60_000);

const error = (socket: string, client = host) => client.do({ do: 'error', socket });
const ask = (socket: string, client = host) => client.do({ do: 'ask', socket });
const moved = () => rig.datapath.socketPath().moved;

/** Connected, and answered by the cluster. */
async function connected(socket: string, kind: 'udp4' | 'udp6', to: string, client = host): Promise<void> {
  await client.do({ do: 'open', socket, kind, to });
  expect(await ask(socket, client)).toEqual({ answer: BY_CLUSTER, from: to, port: 53 });
}

/** The agent runs, and there is no redirect. */
async function waitingFor(moveFrom?: OtherBackends): Promise<void> {
  await rig.open('host', moveFrom).apply(NOTHING);
}

test('a backend appears: sockets connected to the service are ended, connect again, and are redirected', async () => {
  await waitingFor(NO_SERVICE);
  await connected('v4', 'udp4', VIP);
  await connected('v6', 'udp6', VIP6);
  await connected('mapped', 'udp6', MAPPED_VIP);
  await rig.datapath.apply(bothFamilies());
  for (const socket of ['v4', 'v6', 'mapped']) await expect.poll(() => error(socket)).toEqual(ABORTED);
  await expect.poll(moved).toBe(3);
  for (const [socket, to] of Object.entries({ v4: VIP, v6: VIP6, mapped: MAPPED_VIP })) {
    await host.do({ do: 'connect', socket, to });
    expect(await ask(socket)).toEqual({ answer: BY_CACHE, from: to, port: 53 });
  }
});

test('the backend goes and comes: its sockets fall back, and are fetched again', async () => {
  await waitingFor(NO_SERVICE);
  await rig.datapath.apply(bothFamilies());
  await host.do({ do: 'open', socket: 'to and fro', kind: 'udp4', to: VIP });
  expect((await ask('to and fro')).answer).toBe(BY_CACHE);
  await rig.datapath.apply(NOTHING);
  await expect.poll(() => error('to and fro')).toEqual(ABORTED);
  await connected('fallen back', 'udp4', VIP);
  await rig.datapath.apply(bothFamilies());
  await expect.poll(() => error('fallen back')).toEqual(ABORTED);
  await host.do({ do: 'connect', socket: 'fallen back', to: VIP });
  expect((await ask('fallen back')).answer).toBe(BY_CACHE);
  await expect.poll(moved).toBe(1);
});

test('an agent that finds the redirect there ends what was connected before it, and not what is redirected', async () => {
  await waitingFor();
  await connected('before', 'udp4', VIP);
  await rig.datapath.apply(bothFamilies());
  await host.do({ do: 'open', socket: 'redirected', kind: 'udp4', to: VIP });
  rig.open('host', NO_SERVICE);
  await expect.poll(() => error('before')).toEqual(ABORTED);
  expect(await ask('redirected')).toEqual({ answer: BY_CACHE, from: VIP, port: 53 });
  await expect.poll(moved).toBe(1);
});

test('nothing is ended while nobody knows what the service is', async () => {
  let known = false;
  await waitingFor(() => (known ? [] : undefined));
  await connected('unknown', 'udp4', VIP);
  await rig.datapath.apply(bothFamilies());
  await untilLookedAt();
  expect(await ask('unknown')).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
  known = true;
  await expect.poll(() => error('unknown')).toEqual(ABORTED);
});

/** Redirected sockets of a policy that has gone are ended by the same look, before others are. Twice: it was a whole one. */
async function untilLookedAt(): Promise<void> {
  for (const socket of ['first look', 'second look']) {
    const { frontends } = bothFamilies();
    await rig.datapath.apply({ ...NOTHING, frontends: [...frontends, frontend(OTHER_VIP, 'UDP')] });
    await host.do({ do: 'open', socket, kind: 'udp4', to: OTHER_VIP });
    await rig.datapath.apply({ ...NOTHING, frontends });
    await expect.poll(() => error(socket)).toEqual(ABORTED);
  }
}

test('without being asked to, nothing is ended: the socket stays with the cluster', async () => {
  await waitingFor();
  await connected('stays', 'udp4', VIP);
  await rig.datapath.apply(bothFamilies());
  await untilLookedAt();
  expect(await error('stays')).toEqual({});
  expect(await ask('stays')).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
  expect(moved()).toBeUndefined();
});

test('never ended: TCP, unconnected sockets, other ports and addresses, the backend itself, processes out of reach', async () => {
  await waitingFor(REMOTE);
  const outside = rig.client(rig.network.node, '..');
  await connected('out of reach', 'udp4', VIP, outside);
  await connected('moves', 'udp4', VIP);
  await connected('other service', 'udp4', OTHER_VIP);
  // Nobody translates here: its process wanted just this one.
  await connected('of its own will', 'udp4', CLUSTER);
  await host.do({ do: 'open', socket: 'other port', kind: 'udp4', to: VIP, port: 5353 });
  await host.do({ do: 'open', socket: 'backend', kind: 'udp4', to: CACHE });
  await host.do({ do: 'open', socket: 'unconnected', kind: 'udp4' });
  await host.do({ do: 'ask', socket: 'unconnected', to: VIP });
  await host.do({ do: 'open', socket: 'tcp', kind: 'tcp', to: VIP });
  expect(await ask('tcp')).toEqual({ answer: BY_CLUSTER });
  await rig.datapath.apply(bothFamilies());
  await expect.poll(() => error('moves')).toEqual(ABORTED);
  await expect.poll(moved).toBe(1);
  expect(await ask('out of reach', outside)).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
  for (const socket of ['other port', 'unconnected', 'tcp']) expect(await error(socket)).toEqual({});
  expect(await host.do({ do: 'peer', socket: 'other port' })).toEqual({ from: VIP, port: 5353 });
  expect(await ask('other service')).toEqual({ answer: BY_CLUSTER, from: OTHER_VIP, port: 53 });
  expect(await ask('of its own will')).toEqual({ answer: BY_CLUSTER, from: CLUSTER, port: 53 });
  expect(await ask('backend')).toEqual({ answer: BY_CACHE, from: CACHE, port: 53 });
  expect(await ask('tcp')).toEqual({ answer: BY_CLUSTER });
  await rig.kill(outside);
});

test('a cache in the network of the host keeps its own sockets to the service', async () => {
  await waitingFor(NO_SERVICE);
  const server = rig.client(rig.network.node, 'cache');
  await server.do({ do: 'open', socket: 'serves', kind: 'udp4', bind: 53 });
  await connected('upstream', 'udp4', VIP, server);
  await connected('client', 'udp4', VIP);
  rig.network.inNode('ip', 'address', 'add', '169.254.20.10/32', 'dev', 'lo');
  await rig.datapath.apply({ ...NOTHING, frontends: [frontend(VIP, 'UDP', ['169.254.20.10'])] });
  await expect.poll(() => error('client')).toEqual(ABORTED);
  await expect.poll(moved).toBe(1);
  expect(await error('upstream', server)).toEqual({});
  expect(await ask('upstream', server)).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
  await rig.kill(server);
});

test('nobody serves at the backend yet: sockets stay until somebody does', async () => {
  for (const child of cache) await rig.network.kill(child);
  await waitingFor(NO_SERVICE);
  await connected('patient', 'udp4', VIP);
  const refused = () => rig.datapath.socketPath().counters?.fellBack['no-socket'] ?? 0n;
  const before = refused();
  await rig.datapath.apply(bothFamilies());
  await expect.poll(refused).toBeGreaterThan(before);
  expect(await ask('patient')).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
  cache = await rig.startCache();
  await expect.poll(() => error('patient')).toEqual(ABORTED);
});

/** Somebody else at the same hooks, who sends the service to its backend on another node. */
async function openTranslator(): Promise<Datapath> {
  other?.remove();
  other = rig.openSecond();
  await other.apply({ ...NOTHING, frontends: [frontend(VIP, 'UDP', [CLUSTER])] });
  return other;
}

/** Who attaches last comes first from Linux 6.17 on, and last before. */
async function translator(ahead: boolean): Promise<Datapath> {
  rig.datapath.remove();
  const first = await openTranslator();
  await waitingFor(REMOTE);
  return rig.datapath.socketPath().others.some((each) => each.ahead) === ahead ? first : openTranslator();
}

test('somebody translated a socket to another backend: it is ended; those of a DNS server to that backend are not', async () => {
  const translating = await translator(false);
  const dns = rig.client(rig.network.node, 'dns');
  await dns.do({ do: 'open', socket: 'serves', kind: 'udp4', bind: 53 });
  await connected('forwards', 'udp4', CLUSTER, dns);
  await connected('translated', 'udp4', VIP);
  expect(translating.socketPath().counters?.connected).toBe(1n);
  await rig.datapath.apply(bothFamilies());
  // Whether others came first is looked at every half minute.
  await expect.poll(() => error('translated'), { timeout: 90_000 }).toEqual(ABORTED);
  await host.do({ do: 'connect', socket: 'translated', to: VIP });
  expect(await ask('translated')).toEqual({ answer: BY_CACHE, from: VIP, port: 53 });
  expect(await ask('forwards', dns)).toEqual({ answer: BY_CLUSTER, from: CLUSTER, port: 53 });
  await rig.kill(dns);
}, 120_000);

test('somebody who comes first would translate it again: it stays', async () => {
  await translator(true);
  await connected('translated again', 'udp4', VIP);
  await connected('v6', 'udp6', VIP6);
  await rig.datapath.apply(bothFamilies());
  await expect.poll(() => error('v6')).toEqual(ABORTED);
  await expect.poll(moved).toBe(1);
  expect(await ask('translated again')).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
});
