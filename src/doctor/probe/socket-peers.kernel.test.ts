/** A socket that a program at connect() gave another peer, as Cilium's and our own do, is seen through. Needs root. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BEAT_SIZE, encodeBeat } from '../../datapath/kernel/abi.gen.ts';
import { CACHE, frontend, ip, portOf, SocketRig, VIP } from '../../datapath/socket/testing/socket-rig.ts';
import { parseName, ROOT } from '../../dns/name.ts';
import { BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { probePods } from './probe-pods.ts';

const CLIENT = '172.20.0.4';
const SEAT = 9;

const rig = new SocketRig('peers', 'inside');
rig.network.addPod('client', CLIENT);

beforeAll(async () => {
  await Promise.all([rig.startServers(), rig.startCache()]);
  await rig.open('all').apply({
    frontends: [frontend(VIP, 'UDP', [CACHE]), frontend(VIP, 'TCP', [CACHE])],
    pods: [
      { pod: 'kube-system/cache', addresses: [ip(CACHE)] },
      { pod: 'default/client', addresses: [ip(CLIENT)] },
    ],
    mayPrune: true,
  });
}, 60_000);

afterAll(() => rig.close(), 60_000);

/** The cache has said that it lives, for longer than this test takes. */
function beat(): void {
  const map = new BpfMap(rig.datapath.beats.fd, { name: 'beats', keySize: 4, valueSize: BEAT_SIZE });
  const atNs = process.hrtime.bigint() + 600_000_000_000n;
  map.update(u32Bytes(SEAT), encodeBeat({ atNs: [atNs, 0n, 0n, 0n, 0n, 0n, 0n, 0n] }));
  rig.datapath.setHealth({ address: ip(CACHE), port: portOf(53), seat: SEAT });
}

async function trails() {
  const options = { node: 'w1', run: 'ab', clock: systemClock, randomId: () => 7, nameserver: ip(VIP) };
  const domain = parseName('cluster.local.') ?? ROOT;
  const pods = [{ key: 'default/client', addresses: [ip(CLIENT)] }];
  const { trails: found, skipped } = await probePods(pods, { ...options, domain, udp: 1, tcp: 1 });
  expect(skipped).toEqual([]);
  return found;
}

it('says to whom a program at connect() has turned a socket, and nothing while none does', async () => {
  await expect.poll(() => rig.datapath.socketPath().callers).toBe(3);
  for (const trail of await trails()) expect(trail).toMatchObject({ outcome: 'answered', steps: [] });
  beat();
  for (const trail of await trails()) {
    expect(trail).toMatchObject({
      ...{ outcome: 'answered', target: VIP },
      steps: [
        { hook: 'socket', verdict: 'redirected', destination: CACHE, reason: `to ${CACHE}:53 at connect()` },
      ],
    });
  }
});
