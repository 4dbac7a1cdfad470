/** Real programs in namespaces and a cgroup of the test: what a process sees when its questions are redirected. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BY_CACHE,
  BY_CLUSTER,
  bothFamilies,
  CACHE,
  frontend,
  OTHER_VIP,
  type SocketClient,
  SocketRig,
  VIP,
  VIP6,
} from './testing/socket-rig.ts';

const MAPPED_VIP = `::ffff:${VIP}`;

const COOKIE_PROBE = join(import.meta.dirname, 'testing/cookie-probe.ts');

const rig = new SocketRig('sock');
let host: SocketClient;

beforeAll(async () => {
  await Promise.all([rig.startServers(), rig.startCache()]);
  host = rig.client();
  await rig.open().apply(bothFamilies());
}, 60_000);

afterAll(() => rig.close(), 60_000);

describe('a host process asks a frontend', () => {
  const cases = [
    { name: 'IPv4, unconnected', kind: 'udp4', vip: VIP, connected: false },
    { name: 'IPv4, connected', kind: 'udp4', vip: VIP, connected: true },
    { name: 'IPv6, unconnected', kind: 'udp6', vip: VIP6, connected: false },
    { name: 'IPv6, connected', kind: 'udp6', vip: VIP6, connected: true },
    { name: 'IPv4 in a socket of IPv6, unconnected', kind: 'udp6', vip: MAPPED_VIP, connected: false },
    { name: 'IPv4 in a socket of IPv6, connected', kind: 'udp6', vip: MAPPED_VIP, connected: true },
  ] as const;

  test.each(cases)('UDP over $name: the cache answers, in the name of the frontend', async (row) => {
    const socket = row.name;
    await host.do({ do: 'open', socket, kind: row.kind, ...(row.connected ? { to: row.vip } : {}) });
    const asked = await host.do({ do: 'ask', socket, ...(row.connected ? {} : { to: row.vip }) });
    expect(asked).toEqual({ answer: BY_CACHE, from: row.vip, port: 53 });
    if (row.connected) expect(await host.do({ do: 'peer', socket })).toEqual({ from: row.vip, port: 53 });
    await host.do({ do: 'close', socket });
  });

  test.each([
    { name: 'IPv4', vip: VIP },
    { name: 'IPv6', vip: VIP6 },
    { name: 'IPv4 in a socket of IPv6', vip: MAPPED_VIP },
  ])('TCP over $name: the cache answers, and the peer is the frontend', async ({ name, vip }) => {
    await host.do({ do: 'open', socket: name, kind: 'tcp', to: vip });
    expect(await host.do({ do: 'ask', socket: name })).toEqual({ answer: BY_CACHE });
    expect(await host.do({ do: 'peer', socket: name })).toEqual({ from: vip, port: 53 });
    await host.do({ do: 'close', socket: name });
  });

  test.each([`@${VIP}`, `@${VIP6}`])('dig %s is content, over UDP and TCP', (server) => {
    const question = ['dig', '+short', '+tries=1', '+time=10', server, 'test.test'];
    expect(rig.run(...question)).toBe(BY_CACHE);
    expect(rig.run(...question, '+tcp')).toBe(BY_CACHE);
  });

  test('also when it listens on port 53 itself', async () => {
    await host.do({ do: 'open', socket: 'server', kind: 'udp4', bind: 53 });
    const asked = await host.do({ do: 'ask', socket: 'server', to: VIP });
    expect(asked).toEqual({ answer: BY_CACHE, from: VIP, port: 53 });
    await host.do({ do: 'close', socket: 'server' });
  });
});

describe('who is left alone', () => {
  test('a pod, in scope host: its packets are the packet path’s to redirect', async () => {
    const pod = rig.client(rig.cluster.netns);
    await pod.do({ do: 'open', socket: 'own', kind: 'udp4' });
    // It has no route but by the node, whose proxy sends it back to itself: only the way out matters here.
    const before = rig.datapath.socketPath().counters?.datagrams;
    const direct = await pod.do({ do: 'ask', socket: 'own', to: CACHE });
    expect(direct).toEqual({ answer: BY_CACHE, from: CACHE, port: 53 });
    await pod.do({ do: 'open', socket: 'connected', kind: 'udp4', to: VIP });
    expect(rig.datapath.socketPath().counters?.datagrams).toBe(before);
    expect(rig.datapath.socketPath().callers).toBe(1);
  });

  test('a process that asks the cache by its own address hears it by that address', async () => {
    await host.do({ do: 'open', socket: 'direct', kind: 'udp4' });
    const asked = await host.do({ do: 'ask', socket: 'direct', to: CACHE });
    expect(asked).toEqual({ answer: BY_CACHE, from: CACHE, port: 53 });
    await host.do({ do: 'close', socket: 'direct' });
  });
});

describe('a cache in the network of the host', () => {
  const LINK_LOCAL = '169.254.20.10';
  const BY_HOST = '192.0.2.3';

  test('serves host processes, and is noticed when it dies', async () => {
    rig.network.inNode('ip', 'address', 'add', `${LINK_LOCAL}/32`, 'dev', 'lo');
    const server = await rig.network.serve(rig.network.node, LINK_LOCAL, BY_HOST);
    await rig.datapath.apply({ ...bothFamilies(), frontends: [frontend(VIP, 'UDP', [LINK_LOCAL])] });
    await host.do({ do: 'open', socket: 'local', kind: 'udp4' });
    const ask = () => host.do({ do: 'ask', socket: 'local', to: VIP });
    expect(await ask()).toEqual({ answer: BY_HOST, from: VIP, port: 53 });
    await rig.network.kill(server);
    expect(await ask()).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
    await rig.datapath.apply(bothFamilies());
  });
});

describe('a server in the network of the host that is a client, too', () => {
  test('is not sent to itself; others of that network are sent to it', async () => {
    await rig.datapath.apply({ ...bothFamilies(), frontends: [frontend(VIP, 'UDP', ['169.254.20.10'])] });
    const server = rig.client(rig.network.node, 'server');
    await server.do({ do: 'open', socket: 'serves', kind: 'udp4', bind: 53 });
    await server.do({ do: 'open', socket: 'asks', kind: 'udp4' });
    const skipped = () => rig.datapath.socketPath().counters?.fellBack.skip ?? 0n;
    await expect
      .poll(async () => {
        const before = skipped();
        await server.do({ do: 'open', socket: 'connects', kind: 'udp4', to: VIP });
        return skipped() - before;
      })
      .toBe(1n);
    const asked = await server.do({ do: 'ask', socket: 'asks', to: VIP });
    expect(asked).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
    const before = rig.datapath.socketPath().counters?.connected ?? 0n;
    await host.do({ do: 'open', socket: 'sent there', kind: 'udp4', to: VIP });
    expect(rig.datapath.socketPath().counters?.connected).toBe(before + 1n);
    await rig.datapath.apply(bothFamilies());
  });
});

describe('others on the same cgroup', () => {
  test('are named, and whether they come first', async () => {
    const other = rig.openSecond();
    await other.apply(bothFamilies());
    const seen = other.socketPath().others.filter(({ hook }) => hook === 'connect4');
    expect(seen).toMatchObject([{ hook: 'connect4', name: 'zh_connect4' }]);
    // One of the two has redirected; the other sees an address that is none of its frontends.
    expect(rig.run('dig', '+short', '+tries=1', '+time=10', `@${VIP}`, 'test.test')).toBe(BY_CACHE);
    expect(rig.run('dig', '+short', '+tries=1', '+time=10', '+tcp', `@${VIP}`, 'test.test')).toBe(BY_CACHE);
    other.remove();
  });
});

describe('the cookie of a network namespace', () => {
  test('is told by a program where the kernel does not tell it', () => {
    const told = JSON.parse(rig.run(process.execPath, COOKIE_PROBE, rig.pins)) as Record<string, string>;
    expect(told.byProgram).toMatch(/^[1-9]\d*$/);
    // Kernels before 5.14 do not tell it.
    expect([told.byProgram, 'undefined']).toContain(told.bySocket);
  });
});

describe('one unconnected socket that asks several addresses of one backend', () => {
  test('hears each answer from the address it asked', async () => {
    const { frontends } = bothFamilies();
    await rig.datapath.apply(bothFamilies({ frontends: [...frontends, frontend(OTHER_VIP, 'UDP')] }));
    await host.do({ do: 'open', socket: 'many', kind: 'udp4' });
    const ask = (to: string) => host.do({ do: 'ask', socket: 'many', to });
    expect(await ask(VIP)).toEqual({ answer: BY_CACHE, from: VIP, port: 53 });
    // Both lead to one backend: the second goes its ordinary way while answers of the first may come.
    expect(await ask(OTHER_VIP)).toEqual({ answer: BY_CLUSTER, from: OTHER_VIP, port: 53 });
    expect(await ask(VIP)).toEqual({ answer: BY_CACHE, from: VIP, port: 53 });
    // Nobody can send this elsewhere, so from now on the frontend goes its ordinary way.
    expect(await ask(CACHE)).toEqual({ answer: BY_CACHE, from: CACHE, port: 53 });
    expect(await ask(VIP)).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
    expect(rig.datapath.socketPath().counters?.fellBack.mixed).toBe(2n);
    await host.do({ do: 'close', socket: 'many' });
    await rig.datapath.apply(bothFamilies());
  });
});

describe('the agent starts again', () => {
  test('sockets stay where they are, and new ones are redirected', async () => {
    await host.do({ do: 'open', socket: 'before', kind: 'udp4', to: VIP });
    await host.do({ do: 'open', socket: 'unconnected', kind: 'udp6' });
    rig.datapath.close();
    expect((await host.do({ do: 'ask', socket: 'before' })).answer).toBe(BY_CACHE);
    rig.open();
    await rig.datapath.apply(bothFamilies());
    expect(await host.do({ do: 'ask', socket: 'before' })).toEqual({ answer: BY_CACHE, from: VIP, port: 53 });
    const asked = await host.do({ do: 'ask', socket: 'unconnected', to: VIP6 });
    expect(asked).toEqual({ answer: BY_CACHE, from: VIP6, port: 53 });
    expect(rig.datapath.socketPath().problems).toEqual([
      `only processes below ${rig.cgroup} are redirected: it is not the root of cgroup v2`,
    ]);
  });
});
