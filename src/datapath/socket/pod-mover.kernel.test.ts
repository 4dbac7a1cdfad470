/** Sockets of pods that somebody translated before a redirect, in scope `all`: whom it ends, and in which namespaces. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import type { Datapath, DatapathSpec } from '../datapath.ts';
import { BEAT_SIZE, encodeBeat } from '../kernel/abi.gen.ts';
import {
  BY_CACHE,
  BY_CLUSTER,
  bothFamilies,
  CACHE,
  CACHE6,
  CLUSTER,
  ip,
  portOf,
  type SocketClient,
  SocketRig,
  VIP,
} from './testing/socket-rig.ts';

const SEAT = 9;
const NAMES = ['client', 'denied', 'resolver'] as const;

const rig = new SocketRig('movepods', 'inside');
const pods = NAMES.map((name, i) => rig.network.addPod(name, `172.20.0.${10 + i}`));
const clients = new Map<string, SocketClient>();
let other: Datapath | undefined;

const PODS: DatapathSpec['pods'] = [
  { pod: 'kube-system/cache', addresses: [ip(CACHE), ip(CACHE6)] },
  ...pods.map(({ name, address }) => ({
    ...{ pod: `default/${name}`, addresses: [ip(address)] },
    ...(name === 'denied' ? { observeOnly: true } : {}),
  })),
];
const NOTHING = { frontends: [], pods: PODS, mayPrune: true } as const;

beforeAll(async () => {
  await Promise.all([rig.startServers(), rig.startCache()]);
  for (const { name, netns } of pods) clients.set(name, rig.client(netns));
  clients.set('cache', rig.client(rig.cache.netns));
  clients.set('host', rig.client());
  // That somebody is there at all; what he translates looks to everybody else as if it was connected so.
  other = rig.openSecond();
  rig.open('all', ({ address }) => (address === VIP ? [{ address: ip(CLUSTER), port: portOf(53) }] : []));
  await rig.datapath.apply(NOTHING);
}, 60_000);

afterAll(async () => {
  other?.remove();
  await rig.close();
}, 60_000);

function clientOf(name: string): SocketClient {
  const client = clients.get(name);
  if (client === undefined) throw new Error(`No client ${name}`);
  return client;
}

const ask = (name: string, socket: string) => clientOf(name).do({ do: 'ask', socket });

/** Of every backend, in time for as long as this test takes. */
function beat(): void {
  const map = new BpfMap(rig.datapath.beats.fd, { name: 'beats', keySize: 4, valueSize: BEAT_SIZE });
  const atNs = process.hrtime.bigint() + 600_000_000_000n;
  map.update(u32Bytes(SEAT), encodeBeat({ atNs: [atNs, 0n, 0n, 0n, 0n, 0n, 0n, 0n] }));
  for (const address of [CACHE, CACHE6])
    rig.datapath.setHealth({ address: ip(address), port: portOf(53), seat: SEAT });
}

test('those of pods and of the node are ended; not of the backend, of pods that say no, of DNS servers, or to the service', async () => {
  // The node, and all pods but the one that says no.
  await expect.poll(() => rig.datapath.socketPath().callers).toBe(1 + PODS.length - 1);
  await clientOf('resolver').do({ do: 'open', socket: 'serves', kind: 'udp4', bind: 53 });
  for (const [name, client] of clients) {
    await client.do({ do: 'open', socket: 'translated', kind: 'udp4', to: CLUSTER });
    expect(await ask(name, 'translated')).toEqual({ answer: BY_CLUSTER, from: CLUSTER, port: 53 });
  }
  await clientOf('client').do({ do: 'open', socket: 'to service', kind: 'udp4', to: VIP });
  expect((await ask('client', 'to service')).answer).toBe(BY_CLUSTER);
  await clientOf('client').do({ do: 'open', socket: 'mapped', kind: 'udp6', to: `::ffff:${CLUSTER}` });

  await rig.datapath.apply({ ...bothFamilies(), pods: PODS });
  beat();
  await expect.poll(() => rig.datapath.socketPath().moved).toBe(3);
  for (const [name, socket] of [
    ['client', 'translated'],
    ['client', 'mapped'],
    ['host', 'translated'],
  ] as const)
    await expect.poll(() => clientOf(name).do({ do: 'error', socket })).toEqual({ error: 'ECONNABORTED' });
  for (const name of ['cache', 'denied', 'resolver'])
    expect(await ask(name, 'translated')).toEqual({ answer: BY_CLUSTER, from: CLUSTER, port: 53 });
  // Its packets are redirected at the pod's interface.
  expect(await ask('client', 'to service')).toEqual({ answer: BY_CACHE, from: VIP, port: 53 });

  const before = rig.datapath.socketPath().counters?.connected ?? 0n;
  await clientOf('client').do({ do: 'connect', socket: 'translated', to: VIP });
  expect(await ask('client', 'translated')).toEqual({ answer: BY_CACHE, from: VIP, port: 53 });
  expect(rig.datapath.socketPath().counters?.connected).toBe(before + 1n);
});
