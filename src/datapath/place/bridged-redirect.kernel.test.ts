/** Queries between routed pods and pods on a bridge, in both families: who answers, and from which address. Needs root. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../telemetry/clock.ts';
import type { Datapath } from '../datapath.ts';
import { openDatapath } from '../open-datapath.ts';
import { addBridge, addBridgedPod } from '../testing/bridged-pods.ts';
import { redirectedFrontend, toIp } from '../testing/conformance.ts';
import { silentLog, TestNetwork, type TestPod } from '../testing/test-network.ts';

const VIP = '10.96.0.10';
const VIP6 = 'fd00:96::10';
const FALLBACK = '192.0.2.30';
const ADDRESSES = {
  routed: { ip: '172.20.0.10', ip6: 'fd00::10', answer: '192.0.2.10' },
  bridged: { ip: '172.21.0.10', ip6: 'fd00:21::10', answer: '192.0.2.11' },
  client: { ip: '172.21.0.20', ip6: 'fd00:21::20' },
} as const;

let network: TestNetwork;
let pods: Record<keyof typeof ADDRESSES, TestPod>;
let directory: string;
let datapath: Datapath | undefined;

beforeAll(async () => {
  network = new TestNetwork('bridged');
  addBridge(network);
  const fallback = network.addPod('fallback', '172.20.0.30');
  const bridged = (name: 'bridged' | 'client') =>
    addBridgedPod(network, name, `${ADDRESSES[name].ip}/24`, `${ADDRESSES[name].ip6}/64`);
  pods = {
    routed: network.addPod('routed', ADDRESSES.routed.ip),
    bridged: bridged('bridged'),
    client: bridged('client'),
  };
  network.addIpv6(pods.routed, ADDRESSES.routed.ip6);
  network.translate(VIP, fallback.address);
  await network.serve(fallback.netns, fallback.address, FALLBACK);
  for (const name of ['routed', 'bridged'] as const)
    for (const address of [ADDRESSES[name].ip, ADDRESSES[name].ip6])
      await network.serve(pods[name].netns, address, ADDRESSES[name].answer);
  directory = join(network.mountBpffs(), 'node');
  network.enterNode();
});

afterEach(() => {
  datapath?.remove();
  datapath = undefined;
});

afterAll(() => network.close());

async function redirectTo(backend: 'routed' | 'bridged'): Promise<void> {
  const { ip, ip6 } = ADDRESSES[backend];
  datapath = openDatapath({ pinDirectory: directory, log: silentLog, clock: systemClock });
  const frontends = (['UDP', 'TCP'] as const).flatMap((protocol) => [
    redirectedFrontend(VIP, protocol, [ip]),
    redirectedFrontend(VIP6, protocol, [ip6]),
  ]);
  const localPods = (['routed', 'bridged', 'client'] as const).map((name) => ({
    pod: `default/${name}`,
    addresses: [toIp(ADDRESSES[name].ip), toIp(ADDRESSES[name].ip6)],
  }));
  await datapath.apply({ frontends, pods: localPods, mayPrune: true });
}

function ask(from: keyof typeof ADDRESSES): readonly string[] {
  return [[`@${VIP}`], [`@${VIP}`, '+tcp'], [`@${VIP6}`], [`@${VIP6}`, '+tcp']].map((parameters) =>
    network.dig(pods[from], 'google.com', ...parameters),
  );
}

describe('a query', () => {
  test.each([
    { from: 'client', to: 'bridged' },
    { from: 'client', to: 'routed' },
    { from: 'routed', to: 'bridged' },
  ] as const)('from pod $from is answered by pod $to', async ({ from, to }) => {
    await redirectTo(to);
    expect(datapath?.interfaces().map(({ status }) => status.state)).toEqual(['done', 'done', 'done']);
    // dig refuses an answer from another address than the one it asked.
    expect(ask(from)).toEqual(Array(4).fill(ADDRESSES[to].answer));
  });

  test('is answered as before when nothing is redirected', () => {
    expect(network.dig(pods.client, `@${VIP}`, 'google.com')).toBe(FALLBACK);
  });
});
