/**
 * What is delivered, between real namespaces: answers larger than a packet over both families, on routed and on bridged
 * pods, with offloads on and off; backends on the node's own addresses; and what conntrack makes of it. Needs root.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../telemetry/clock.ts';
import type { Datapath, DatapathSpec } from './datapath.ts';
import { openDatapath } from './open-datapath.ts';
import { redirectedFrontend, toIp } from './testing/conformance.ts';
import { silentLog, TestNetwork, type TestPod } from './testing/test-network.ts';

interface Topology {
  readonly name: string;
  build(network: TestNetwork): { readonly client: TestPod; readonly backend: TestPod };
}

const V4 = { client: '172.20.0.10', backend: '172.20.0.20', gateway: '172.20.0.1', vip: '10.96.0.10' };
const V6 = { client: 'fd00::10', backend: 'fd00::20', gateway: 'fd00::1', vip: 'fd00:96::a' };
const FAMILIES = [
  { family: 'IPv4', ...V4 },
  { family: 'IPv6', ...V6 },
];
const ROUTED: Topology = {
  name: 'routed pods',
  build(network) {
    const [client, backend] = [network.addPod('client', V4.client), network.addPod('backend', V4.backend)];
    network.addIpv6(client, V6.client);
    network.addIpv6(backend, V6.backend);
    return { client, backend };
  },
};
const BRIDGED: Topology = {
  name: 'bridged pods',
  build(network) {
    network.addBridge('cni0', [`${V4.gateway}/24`, `${V6.gateway}/64`]);
    const add = (name: 'client' | 'backend') =>
      network.addBridgedPod(name, 'cni0', [`${V4[name]}/24`, `${V6[name]}/64`], [V4.gateway, V6.gateway]);
    return { client: add('client'), backend: add('backend') };
  },
};

let network: TestNetwork;
let pods: { readonly client: TestPod; readonly backend: TestPod };
let directory: string;
let datapath: Datapath;

const script = (name: string) => join(import.meta.dirname, 'testing', name);
const specOf = (backends: readonly string[] = [V4.backend, V6.backend]): DatapathSpec => ({
  frontends: [V4, V6].flatMap(({ vip }) => {
    const own = backends.filter((address) => address.includes(':') === vip.includes(':'));
    return own.length === 0
      ? []
      : (['UDP', 'TCP'] as const).map((protocol) => redirectedFrontend(vip, protocol, own));
  }),
  pods: (['client', 'backend'] as const).map((name) => ({
    pod: `default/${name}`,
    addresses: [toIp(V4[name]), toIp(V6[name])],
  })),
  mayPrune: true,
});
const serve = async (netns: string, address: string) => {
  const child = network.spawn(netns, process.execPath, script('test-large-server.ts'), address, '53');
  await new Promise((resolve) => child.stdout?.once('data', resolve));
};
/** What the client makes of the answer: `whole`, or what came instead. */
const ask = (protocol: 'udp' | 'tcp', vip: string, bytes: number): string => {
  const command = [process.execPath, script('test-large-client.ts'), protocol, vip, String(bytes)];
  const enter = `--net=/run/netns/${pods.client.netns}`;
  return spawnSync('nsenter', [enter, ...command], { encoding: 'utf8' }).stdout.trim();
};
const switchOffloads = (state: 'on' | 'off') => {
  const features = ['rx', 'tx', 'tso', 'gso', 'gro'].flatMap((feature) => [feature, state]);
  for (const pod of Object.values(pods)) {
    network.run(pod.netns, 'ethtool', '-K', 'eth0', ...features);
    network.inNode('ethtool', '-K', pod.ifname, ...features);
  }
};

describe.each([ROUTED, BRIDGED])('$name', ({ name, build }) => {
  beforeAll(async () => {
    network = new TestNetwork(name.slice(0, 7).trim());
    pods = build(network);
    for (const { backend } of FAMILIES) await serve(pods.backend.netns, backend);
    directory = join(network.mountBpffs(), 'node');
    network.enterNode();
  });
  afterAll(() => network.close());

  beforeEach(async () => {
    datapath = openDatapath({ pinDirectory: directory, log: silentLog, clock: systemClock });
    await datapath.apply(specOf());
    expect(datapath.frontends().map(({ status }) => status.state)).toEqual(Array(4).fill('done'));
  });
  afterEach(() => datapath.remove());

  describe.each(['on', 'off'] as const)('with offloads %s', (state) => {
    beforeEach(() => switchOffloads(state));

    test.each(FAMILIES)(
      'a datagram in many pieces comes whole from the address that was asked ($family)',
      ({ vip }) => {
        for (const bytes of [1, 1400, 3000, 8000, 60_000]) expect(ask('udp', vip, bytes)).toBe('whole');
        const { redirected, restored, spoofed } = datapath.counters();
        expect([redirected, restored, spoofed]).toEqual([5n, 5n, 0n]);
      },
    );

    test.each(FAMILIES)('a stream of megabytes comes whole ($family)', ({ vip }) => {
      expect(ask('tcp', vip, 4_000_000)).toBe('whole');
      expect(datapath.counters().restored).toBeGreaterThan(10n);
    });
  });
});

describe('on the node', () => {
  const NODE_CACHE = { v4: '169.254.20.10', v6: 'fd00:20::10' };
  /** How many packets conntrack took for the first of a conversation. Its entries go by themselves, so they tell less. */
  const conversations = () =>
    Number(/counter packets (\d+)/.exec(network.inNode('nft', 'list', 'table', 'inet', 'track'))?.[1]);

  beforeAll(async () => {
    network = new TestNetwork('onnode');
    pods = ROUTED.build(network);
    network.inNode('ip', 'addr', 'add', `${NODE_CACHE.v4}/32`, 'dev', 'lo');
    network.inNode('ip', 'addr', 'add', `${NODE_CACHE.v6}/128`, 'dev', 'lo', 'nodad');
    // Makes conntrack work in this namespace.
    network.inNode(
      'nft',
      'add table inet track; add chain inet track pre { type filter hook prerouting priority 0; }; add rule inet track pre ct state new counter',
    );
    for (const address of Object.values(NODE_CACHE)) await serve(network.node, address);
    for (const { backend } of FAMILIES) await serve(pods.backend.netns, backend);
    directory = join(network.mountBpffs(), 'node');
    network.enterNode();
  });

  afterAll(() => network.close());

  beforeEach(() => {
    datapath = openDatapath({ pinDirectory: directory, log: silentLog, clock: systemClock });
  });
  afterEach(() => datapath.remove());

  test('a node cache on a link-local address answers pods from the address they asked, whatever the size', async () => {
    await datapath.apply(specOf(Object.values(NODE_CACHE)));
    expect(datapath.frontends().map(({ status }) => status.state)).toEqual(Array(4).fill('done'));
    for (const { vip } of FAMILIES) {
      expect(ask('udp', vip, 100)).toBe('whole');
      expect(ask('udp', vip, 8000)).toBe('whole');
      expect(ask('tcp', vip, 1_000_000)).toBe('whole');
    }
  });

  test('redirected DNS makes no conntrack entry, in any size, and DNS that is not redirected does', async () => {
    await datapath.apply(specOf());
    const before = conversations();
    for (const { vip } of FAMILIES) {
      for (const bytes of [100, 8000]) expect(ask('udp', vip, bytes)).toBe('whole');
      expect(ask('tcp', vip, 200_000)).toBe('whole');
    }
    expect(conversations()).toBe(before);
    for (const { backend } of FAMILIES) {
      expect(ask('udp', backend, 100)).toBe('whole');
      expect(ask('tcp', backend, 100)).toBe('whole');
    }
    expect(conversations()).toBeGreaterThanOrEqual(before + 4);
  });

  test('through the stack conntrack knows each conversation, and it is all the same to the client', async () => {
    datapath.close();
    const options = { pinDirectory: directory, log: silentLog, clock: systemClock };
    datapath = openDatapath({ ...options, delivery: 'stack' });
    await datapath.apply(specOf());
    const before = conversations();
    for (const { vip } of FAMILIES) {
      expect(ask('udp', vip, 8000)).toBe('whole');
      expect(ask('tcp', vip, 1_000_000)).toBe('whole');
    }
    expect(conversations()).toBeGreaterThanOrEqual(before + 4);
    expect(datapath.counters().spoofed).toBe(0n);
  });
});
