/** Scope `all`: sockets of pods are redirected, too; backends are not their own clients, and strangers are left alone. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import type { DatapathSpec } from '../datapath.ts';
import { BEAT_SIZE, encodeBeat } from '../kernel/abi.gen.ts';
import {
  BY_CACHE,
  BY_CLUSTER,
  CACHE,
  CACHE6,
  frontend,
  ip,
  portOf,
  type SocketClient,
  SocketRig,
  VIP,
  VIP6,
} from './testing/socket-rig.ts';

const SECOND = '172.20.0.5';
const SECOND6 = 'fd00::5';
const BY_SECOND = '192.0.2.2';
const SEAT = 9;

const rig = new SocketRig('pods');
const second = rig.network.addPod('second', SECOND);
const pod = rig.network.addPod('client', '172.20.0.4');
rig.network.addIpv6(second, SECOND6);
rig.network.addIpv6(pod, 'fd00::4');
let client: SocketClient;
let cache: SocketClient;

const PODS: DatapathSpec['pods'] = [
  { pod: 'kube-system/cache', addresses: [ip(CACHE), ip(CACHE6)] },
  { pod: 'kube-system/second', addresses: [ip(SECOND), ip(SECOND6)] },
  { pod: 'default/client', addresses: [ip('172.20.0.4'), ip('fd00::4')] },
];

function spec(more: Partial<DatapathSpec> = {}, both = false): DatapathSpec {
  const [v4, v6] = both
    ? [
        [CACHE, SECOND],
        [CACHE6, SECOND6],
      ]
    : [[CACHE], [CACHE6]];
  const frontends = (['UDP', 'TCP'] as const).flatMap((protocol) => [
    frontend(VIP, protocol, v4),
    frontend(VIP6, protocol, v6),
  ]);
  return { frontends, pods: PODS, mayPrune: true, ...more };
}

/** Every backend has a heartbeat that is in time for as long as this test takes. */
function beat(): void {
  const { beats } = rig.datapath;
  const map = new BpfMap(beats.fd, { name: 'beats', keySize: 4, valueSize: BEAT_SIZE });
  const atNs = process.hrtime.bigint() + 600_000_000_000n;
  map.update(u32Bytes(SEAT), encodeBeat({ atNs: [atNs, 0n, 0n, 0n, 0n, 0n, 0n, 0n] }));
  for (const address of [CACHE, CACHE6, SECOND, SECOND6])
    rig.datapath.setHealth({ address: ip(address), port: portOf(53), seat: SEAT });
}

const counters = () => {
  const counted = rig.datapath.socketPath().counters;
  if (counted === undefined) throw new Error('No counters');
  return counted;
};

beforeAll(async () => {
  await Promise.all([
    rig.startServers(),
    rig.startCache(),
    rig.network.serve(second.netns, SECOND, BY_SECOND),
    rig.network.serve(second.netns, SECOND6, BY_SECOND),
  ]);
  client = rig.client(pod.netns);
  cache = rig.client(rig.cache.netns);
  await rig.open('all').apply(spec());
}, 60_000);

afterAll(() => rig.close(), 60_000);

test('pods become callers when they are known; the node itself is one from the start', async () => {
  expect(rig.datapath.socketPath().callers).toBeGreaterThanOrEqual(1);
  await expect.poll(() => rig.datapath.socketPath().callers).toBe(1 + PODS.length);
});

test('a backend without a heartbeat is not asked for from a pod’s namespace: the packet path has the packet', async () => {
  await client.do({ do: 'open', socket: 'unseen', kind: 'udp4' });
  const asked = await client.do({ do: 'ask', socket: 'unseen', to: VIP });
  expect(asked).toEqual({ answer: BY_CACHE, from: VIP, port: 53 });
  expect(counters()).toMatchObject({ datagrams: 0n, fellBack: { unseen: 1n } });
});

test.each([
  { name: 'IPv4', kind: 'udp4', vip: VIP },
  { name: 'IPv6', kind: 'udp6', vip: VIP6 },
  { name: 'IPv4 in a socket of IPv6', kind: 'udp6', vip: `::ffff:${VIP}` },
] as const)(
  'a pod over $name: UDP connected and not, and TCP, at the socket',
  async ({ name, kind, vip }) => {
    beat();
    const before = counters();
    await client.do({ do: 'open', socket: name, kind });
    expect(await client.do({ do: 'ask', socket: name, to: vip })).toEqual({
      answer: BY_CACHE,
      from: vip,
      port: 53,
    });
    await client.do({ do: 'open', socket: `${name} connected`, kind, to: vip });
    const asked = await client.do({ do: 'ask', socket: `${name} connected` });
    expect(asked).toEqual({ answer: BY_CACHE, from: vip, port: 53 });
    await client.do({ do: 'open', socket: `${name} tcp`, kind: 'tcp', to: vip });
    expect(await client.do({ do: 'ask', socket: `${name} tcp` })).toEqual({ answer: BY_CACHE });
    expect(await client.do({ do: 'peer', socket: `${name} tcp` })).toEqual({ from: vip, port: 53 });
    const after = counters();
    expect([after.datagrams, after.connected, after.tcp]).toEqual([
      before.datagrams + 1n,
      before.connected + 1n,
      before.tcp + 1n,
    ]);
  },
);

test.each([
  { name: 'IPv4', kind: 'udp4', vip: VIP },
  { name: 'IPv6', kind: 'udp6', vip: VIP6 },
] as const)('the only backend is not its own client, over $name', async ({ name, kind, vip }) => {
  beat();
  await cache.do({ do: 'open', socket: `alone ${name}`, kind });
  const asked = await cache.do({ do: 'ask', socket: `alone ${name}`, to: vip });
  expect(asked).toEqual({ answer: BY_CLUSTER, from: vip, port: 53 });
});

test.each([
  { name: 'IPv4', kind: 'udp4', vip: VIP },
  { name: 'IPv6', kind: 'udp6', vip: VIP6 },
] as const)(
  'one of two backends asks the other; with skipRedirectFromBackend neither, over $name',
  async ({ name, kind, vip }) => {
    await rig.datapath.apply(spec({}, true));
    beat();
    await cache.do({ do: 'open', socket: `one of two ${name}`, kind });
    const ask = () => cache.do({ do: 'ask', socket: `one of two ${name}`, to: vip });
    expect(await ask()).toEqual({ answer: BY_SECOND, from: vip, port: 53 });
    await rig.datapath.apply(spec({ skipPolicies: ['kube-system/nodelocaldns'] }, true));
    expect(await ask()).toEqual({ answer: BY_CLUSTER, from: vip, port: 53 });
    // Who is no backend is redirected all the same.
    await client.do({ do: 'open', socket: `no backend ${name}`, kind });
    const other = await client.do({ do: 'ask', socket: `no backend ${name}`, to: vip });
    expect([BY_CACHE, BY_SECOND]).toContain(other.answer);
    await rig.datapath.apply(spec());
  },
);

test('a namespace that is none of this node’s pods is left alone', async () => {
  beat();
  const stranger = rig.client(rig.cluster.netns);
  const before = counters();
  await stranger.do({ do: 'open', socket: 'stranger', kind: 'udp4', to: VIP });
  expect(counters()).toEqual(before);
});

test('a backend that goes: connected sockets in a pod are ended', async () => {
  beat();
  await client.do({ do: 'open', socket: 'v4', kind: 'udp4', to: VIP });
  await client.do({ do: 'open', socket: 'mapped', kind: 'udp6', to: `::ffff:${VIP}` });
  await client.do({ do: 'ask', socket: 'v4' });
  await client.do({ do: 'ask', socket: 'mapped' });
  await rig.datapath.apply({ ...spec(), frontends: [] });
  for (const socket of ['v4', 'mapped'])
    await expect.poll(() => client.do({ do: 'error', socket })).toEqual({ error: 'ECONNABORTED' });
  await client.do({ do: 'open', socket: 'anew', kind: 'udp4', to: VIP });
  expect(await client.do({ do: 'ask', socket: 'anew' })).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
});

test('a pod that says no is not redirected at its sockets either, even if it is the last one', async () => {
  beat();
  const denied = PODS.map((each) => ({ ...each, observeOnly: true }));
  await rig.datapath.apply({ ...spec(), pods: denied });
  await expect.poll(() => rig.datapath.socketPath().callers).toBe(1);
  const before = counters();
  await client.do({ do: 'open', socket: 'denied', kind: 'udp4', to: VIP });
  expect(await client.do({ do: 'ask', socket: 'denied' })).toEqual({
    answer: BY_CLUSTER,
    from: VIP,
    port: 53,
  });
  expect(counters()).toEqual(before);
  await rig.datapath.apply(spec());
  await expect.poll(() => rig.datapath.socketPath().callers).toBe(1 + PODS.length);
});

test('an agent that starts again serves the pods it has not been told of yet', async () => {
  rig.open('all');
  expect(rig.datapath.socketPath().callers).toBe(1 + PODS.length);
  await rig.datapath.apply({ ...spec(), pods: PODS.slice(0, 1) });
  await expect.poll(() => rig.datapath.socketPath().callers).toBe(2);
  await rig.datapath.apply(spec());
  await expect.poll(() => rig.datapath.socketPath().callers).toBe(1 + PODS.length);
});

test('back in scope host, pods are left alone, and sockets from before are still ended when their backend goes', async () => {
  await rig.datapath.apply(spec());
  beat();
  await client.do({ do: 'open', socket: 'from before', kind: 'udp4', to: VIP });
  await rig.open('host').apply(spec());
  expect(rig.datapath.socketPath().callers).toBe(1);
  const before = counters();
  await client.do({ do: 'open', socket: 'since', kind: 'udp4', to: VIP });
  expect(counters().connected).toBe(before.connected);
  await rig.datapath.apply({ ...spec(), frontends: [] });
  await expect
    .poll(() => client.do({ do: 'error', socket: 'from before' }))
    .toEqual({ error: 'ECONNABORTED' });
});
