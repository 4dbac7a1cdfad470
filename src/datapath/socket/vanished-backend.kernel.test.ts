/** What becomes of sockets when their backend dies, is late, or goes: the next question falls back, and nobody stays glued. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPinned } from '../../sys/bpf.ts';
import { BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import { ABI_VERSION, BEAT_SIZE, encodeBeat } from '../kernel/abi.gen.ts';
import { removeDatapath } from '../open-datapath.ts';
import { SOCKET_OBJECT } from './programs.gen.ts';
import {
  BY_CACHE,
  BY_CLUSTER,
  bothFamilies,
  CACHE,
  CACHE6,
  ip,
  portOf,
  type SocketClient,
  SocketRig,
  VIP,
  VIP6,
} from './testing/socket-rig.ts';

const MAPPED_VIP = `::ffff:${VIP}`;
const NOTHING = { frontends: [], pods: [], mayPrune: true } as const;

const rig = new SocketRig('gone');
let host: SocketClient;
let cache: readonly ChildProcess[];

beforeAll(async () => {
  await rig.startServers();
  cache = await rig.startCache();
  host = rig.client();
  await rig.open().apply(bothFamilies());
}, 60_000);

afterAll(() => rig.close(), 60_000);

async function connected(socket: string, kind: 'udp4' | 'udp6', to: string): Promise<void> {
  await host.do({ do: 'open', socket, kind, to });
  expect((await host.do({ do: 'ask', socket })).answer).toBe(BY_CACHE);
}

test('a backend that goes: connected UDP sockets to it are ended, only those, and connecting again falls back', async () => {
  await connected('v4', 'udp4', VIP);
  await connected('v6', 'udp6', VIP6);
  await connected('mapped', 'udp6', MAPPED_VIP);
  await connected('direct', 'udp4', CACHE);
  await host.do({ do: 'open', socket: 'unconnected', kind: 'udp4' });
  await host.do({ do: 'ask', socket: 'unconnected', to: VIP });
  await host.do({ do: 'open', socket: 'tcp', kind: 'tcp', to: VIP });
  // Connected to the frontend once, and then to the backend itself: what it was told is forgotten.
  await connected('moved', 'udp4', VIP);
  await host.do({ do: 'connect', socket: 'moved', to: CACHE });
  expect(await host.do({ do: 'peer', socket: 'moved' })).toEqual({ from: CACHE, port: 53 });
  await rig.datapath.apply(NOTHING);
  for (const socket of ['v4', 'v6', 'mapped'])
    await expect.poll(() => host.do({ do: 'error', socket })).toEqual({ error: 'ECONNABORTED' });
  await expect.poll(() => rig.datapath.socketPath().ended).toBe(3);

  for (const socket of ['direct', 'moved']) {
    const asked = await host.do({ do: 'ask', socket });
    expect(asked).toEqual({ answer: BY_CACHE, from: CACHE, port: 53 });
  }
  const anew = await host.do({ do: 'ask', socket: 'unconnected', to: VIP });
  expect(anew).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
  // TCP keeps its way while its connection lives, and its peer its name.
  expect(await host.do({ do: 'peer', socket: 'tcp' })).toEqual({ from: VIP, port: 53 });
  expect(await host.do({ do: 'ask', socket: 'tcp' })).toEqual({ answer: BY_CACHE });

  await host.do({ do: 'open', socket: 'again', kind: 'udp4', to: VIP });
  expect(await host.do({ do: 'ask', socket: 'again' })).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
  await rig.datapath.apply(bothFamilies());
});

test('nothing is kept of a socket that was closed, whether its process lives or was killed', async () => {
  const fd = openPinned(join(rig.pins, `abi-${ABI_VERSION}`, 'maps', 'connections'));
  const map = new BpfMap(fd ?? -1, { name: 'connections', ...SOCKET_OBJECT.maps.connections });
  const before = map.keys().length;
  const mortal = rig.client();
  for (const socket of ['a', 'b', 'c']) await mortal.do({ do: 'open', socket, kind: 'udp4', to: VIP });
  expect(map.keys().length).toBe(before + 3);
  await mortal.do({ do: 'close', socket: 'a' });
  await expect.poll(() => map.keys().length).toBe(before + 2);
  await rig.kill(mortal);
  await expect.poll(() => map.keys().length).toBe(before);
  map.close();
});

test('one family of a frontend goes: sockets of the other stay', async () => {
  await connected('four', 'udp4', VIP);
  await connected('six', 'udp6', VIP6);
  const { frontends } = bothFamilies();
  await rig.datapath.apply({ ...NOTHING, frontends: frontends.filter((row) => row.address !== VIP6) });
  await expect.poll(() => host.do({ do: 'error', socket: 'six' })).toEqual({ error: 'ECONNABORTED' });
  expect(await host.do({ do: 'ask', socket: 'four' })).toEqual({ answer: BY_CACHE, from: VIP, port: 53 });
  await rig.datapath.apply(bothFamilies());
});

test('a frontend without its policy, whose backend serves another one: found by looking, not by being told', async () => {
  await connected('swept', 'udp4', VIP);
  const { frontends } = bothFamilies();
  const other = frontends.map((row) => (row.address === VIP ? { ...row, address: ip('10.96.0.77') } : row));
  await rig.datapath.apply({ ...NOTHING, frontends: other });
  await expect.poll(() => host.do({ do: 'error', socket: 'swept' })).toEqual({ error: 'ECONNABORTED' });
  await rig.datapath.apply(bothFamilies());
});

test('a heartbeat that is late: the next question falls back; sockets that stay connected are given up after two seconds', async () => {
  const { beats } = rig.datapath;
  const map = new BpfMap(beats.fd, { name: 'beats', keySize: 4, valueSize: BEAT_SIZE });
  const beat = (agoMs: number) => {
    const atNs = process.hrtime.bigint() - BigInt(agoMs) * 1_000_000n;
    map.update(u32Bytes(7), encodeBeat({ atNs: [atNs, 0n, 0n, 0n, 0n, 0n, 0n, 0n] }));
  };
  // Far in the future is in time for as long as this test takes.
  beat(-60_000);
  for (const address of [CACHE, CACHE6])
    rig.datapath.setHealth({ address: ip(address), port: portOf(53), seat: 7 });
  await connected('glued', 'udp4', VIP);
  await host.do({ do: 'open', socket: 'free', kind: 'udp4' });
  expect((await host.do({ do: 'ask', socket: 'free', to: VIP })).answer).toBe(BY_CACHE);
  beat(500);
  expect((await host.do({ do: 'ask', socket: 'free', to: VIP })).answer).toBe(BY_CLUSTER);
  expect(rig.datapath.socketPath().counters?.fellBack['no-heartbeat']).toBe(1n);
  await expect.poll(() => host.do({ do: 'error', socket: 'glued' })).toEqual({ error: 'ECONNABORTED' });
  for (const address of [CACHE, CACHE6]) rig.datapath.setHealth({ address: ip(address), port: portOf(53) });
});

test('a probe that failed: falls back, and comes back with the probe', async () => {
  await host.do({ do: 'open', socket: 'probed', kind: 'udp4' });
  const row = { address: ip(CACHE), port: portOf(53) };
  rig.datapath.setHealth({ ...row, down: 'no answer within 1 s' });
  expect((await host.do({ do: 'ask', socket: 'probed', to: VIP })).answer).toBe(BY_CLUSTER);
  rig.datapath.setHealth(row);
  expect((await host.do({ do: 'ask', socket: 'probed', to: VIP })).answer).toBe(BY_CACHE);
});

test('kill -9 of the backend: unconnected sockets fall back at once, connected ones hear of it, new ones fall back', async () => {
  await host.do({ do: 'open', socket: 'stays', kind: 'udp4' });
  expect((await host.do({ do: 'ask', socket: 'stays', to: VIP })).answer).toBe(BY_CACHE);
  await connected('dies', 'udp4', VIP);
  for (const child of cache) await rig.network.kill(child);
  const asked = await host.do({ do: 'ask', socket: 'stays', to: VIP });
  expect(asked).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
  expect(await host.do({ do: 'ask', socket: 'dies' })).toEqual({ error: 'ECONNREFUSED' });
  await host.do({ do: 'open', socket: 'later', kind: 'tcp', to: VIP6 });
  expect(await host.do({ do: 'ask', socket: 'later' })).toEqual({ answer: BY_CLUSTER });
  cache = await rig.startCache();
  expect((await host.do({ do: 'ask', socket: 'stays', to: VIP })).answer).toBe(BY_CACHE);
});

async function expectOrdinaryWay(socket: string): Promise<void> {
  // Nobody looks after a connected socket any more, so it must not stay where it is.
  await expect.poll(() => host.do({ do: 'error', socket })).toEqual({ error: 'ECONNABORTED' });
  await host.do({ do: 'open', socket: `${socket} unconnected`, kind: 'udp4' });
  const asked = await host.do({ do: 'ask', socket: `${socket} unconnected`, to: VIP });
  expect(asked).toEqual({ answer: BY_CLUSTER, from: VIP, port: 53 });
}

test('switched off: no program is left on the cgroup, and questions go their ordinary way', async () => {
  await connected('off', 'udp4', VIP);
  await rig.open('off').apply(bothFamilies());
  await expectOrdinaryWay('off');
  expect(rig.datapath.socketPath()).toMatchObject({ scope: 'off', cgroup: '', callers: 0 });
});

test('cleaned up without an agent: the same', async () => {
  await rig.open('host').apply(bothFamilies());
  await connected('cleaned', 'udp4', VIP);
  rig.datapath.close();
  expect(removeDatapath(rig.pins)).toBe(true);
  await expectOrdinaryWay('cleaned');
});
