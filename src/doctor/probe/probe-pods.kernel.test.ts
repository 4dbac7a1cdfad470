/** Pods probed by their addresses alone, with the nameserver of their own resolv.conf. Needs root. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toIp } from '../../datapath/testing/conformance.ts';
import { TestNetwork, type TestPod } from '../../datapath/testing/test-network.ts';
import { parseName, ROOT } from '../../dns/name.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { type PodProbeOptions, probePods } from './probe-pods.ts';

const VIP = '10.96.0.10';

let network: TestNetwork;
let client: TestPod;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zh-test-pod-'));
  network = new TestNetwork('probe-pods');
  client = network.addPod('client', '172.20.0.20');
  const server = network.addPod('server', '172.20.0.30');
  network.translate(VIP, server.address);
  await network.serve(server.netns, server.address, '192.0.2.1');
  network.enterNode();
});

afterAll(async () => {
  await network.close();
  rmSync(directory, { recursive: true });
});

function probe(addresses: readonly string[], over: Partial<PodProbeOptions> = {}) {
  const domain = parseName('cluster.local.') ?? ROOT;
  const options = { node: 'worker-1', domain, run: 'cd34', clock: systemClock, randomId: () => 99, udp: 2 };
  return probePods(
    addresses.map((address) => ({ key: `default/${address}`, addresses: [toIp(address)] })),
    { ...options, ...over },
  );
}

test('the nameserver is the one of the pod itself, whatever the node has', async () => {
  writeFileSync(join(directory, 'resolv.conf'), `nameserver ${VIP}\n`);
  const script = `mount --bind ${directory}/resolv.conf /etc/resolv.conf && echo ready && exec sleep 1000`;
  const pod = network.spawn(client.netns, 'unshare', '--mount', 'bash', '-c', script);
  await new Promise((resolve) => pod.stdout?.once('data', resolve));
  const { trails, sourcePorts, skipped } = await probe(['172.20.0.20']);
  expect(skipped).toEqual([]);
  expect(trails.map(({ protocol }) => protocol)).toEqual(['UDP', 'UDP', 'TCP']);
  for (const trail of trails) {
    expect(trail).toMatchObject({
      client: 'default/172.20.0.20',
      target: VIP,
      outcome: 'answered',
      rcode: 'NOERROR',
    });
    expect(sourcePorts.get(trail.tag)).toBeGreaterThan(0);
  }
  await network.kill(pod);
});

test('a pod without one is asked about with the one that is given, or skipped', async () => {
  expect((await probe(['172.20.0.20'])).skipped).toHaveLength(1);
  const { trails } = await probe(['172.20.0.20'], { nameserver: toIp(VIP), udp: 1, tcp: 0 });
  expect(trails).toMatchObject([{ outcome: 'answered', recursionAvailable: true }]);
});

test('what cannot be probed says why', async () => {
  const { trails, skipped } = await probe(['198.51.100.1', '172.20.0.1'], { nameserver: toIp(VIP) });
  expect(trails).toEqual([]);
  expect(skipped.map(({ reason }) => reason)).toEqual([
    'no network namespace of this node has 198.51.100.1',
    expect.stringContaining("host's network"),
  ]);
});

test('a pod that may not send tells so in its steps', async () => {
  network.run(client.netns, 'nft', 'add table inet t');
  network.run(client.netns, 'nft', 'add chain inet t c { type filter hook output priority 0; }');
  network.run(client.netns, 'nft', 'add rule inet t c udp dport 53 drop');
  const { trails } = await probe(['172.20.0.20'], { nameserver: toIp(VIP), udp: 1, tcp: 0 });
  expect(trails).toMatchObject([
    { outcome: 'unreachable', steps: [{ hook: 'pod', verdict: 'dropped', reason: 'EPERM' }] },
  ]);
  network.run(client.netns, 'nft', 'delete table inet t');
});
