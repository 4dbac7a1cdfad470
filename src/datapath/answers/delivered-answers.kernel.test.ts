/**
 * Answers from the kernel as a pod's own stack takes them: between real namespaces, over both families, on routed and bridged
 * pods, with checksums left to the interface or not. No server runs at all. Needs root.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { toPort } from '../../net/port.ts';
import { systemClock } from '../../telemetry/clock.ts';
import type { Datapath } from '../datapath.ts';
import { openDatapath } from '../open-datapath.ts';
import { redirectedFrontend, toIp } from '../testing/conformance.ts';
import { silentLog, TestNetwork, type TestPod } from '../testing/test-network.ts';
import { TestShelf } from '../testing/test-shelf.ts';

const V4 = { client: '172.20.0.10', backend: '172.20.0.20', gateway: '172.20.0.1', vip: '10.96.0.10' };
const V6 = { client: 'fd00::10', backend: 'fd00::20', gateway: 'fd00::1', vip: 'fd00:96::a' };
const FAMILIES = [
  { family: 'IPv4', ...V4 },
  { family: 'IPv6', ...V6 },
];
const VIEW = 1;
const LABELS = ['www', 'example', 'org'];

let network: TestNetwork;
let client: TestPod;
let directory: string;
let datapath: Datapath;
let shelf: TestShelf;

const routed = () => {
  client = network.addPod('client', V4.client);
  network.addIpv6(client, V6.client);
  network.addIpv6(network.addPod('backend', V4.backend), V6.backend);
};
const bridged = () => {
  network.addBridge('cni0', [`${V4.gateway}/24`, `${V6.gateway}/64`]);
  const add = (name: 'client' | 'backend') =>
    network.addBridgedPod(name, 'cni0', [`${V4[name]}/24`, `${V6[name]}/64`], [V4.gateway, V6.gateway]);
  client = add('client');
  add('backend');
};
const switchOffloads = (state: 'on' | 'off') => {
  const features = ['rx', 'tx'].flatMap((feature) => [feature, state]);
  network.run(client.netns, 'ethtool', '-K', 'eth0', ...features);
  network.inNode('ethtool', '-K', client.ifname, ...features);
};
const dig = (vip: string, ...options: string[]) => {
  const command = ['dig', `@${vip}`, '+tries=1', '+time=5', '+short', ...options, 'WWW.example.org'];
  return spawnSync('nsenter', [`--net=/run/netns/${client.netns}`, ...command], {
    encoding: 'utf8',
  }).stdout.trim();
};

describe.each([
  { name: 'routed pods', build: routed },
  { name: 'bridged pods', build: bridged },
])('$name', ({ name, build }) => {
  beforeAll(() => {
    network = new TestNetwork(name.slice(0, 6));
    build();
    directory = join(network.mountBpffs(), 'node');
    network.enterNode();
  });
  afterAll(() => network.close());

  describe.each(['direct', 'stack'] as const)('delivery %s', (delivery) => {
    beforeEach(async () => {
      datapath = openDatapath({
        pinDirectory: directory,
        log: silentLog,
        clock: systemClock,
        answerEntries: 1000,
        delivery,
      });
      await datapath.apply({
        frontends: [V4, V6].map(({ vip, backend }) => redirectedFrontend(vip, 'UDP', [backend])),
        pods: [
          { pod: 'default/client', addresses: [V4, V6].map((each) => toIp(each.client)), answers: true },
          { pod: 'default/backend', addresses: [V4, V6].map((each) => toIp(each.backend)) },
        ],
        mayPrune: true,
      });
      const opened = datapath.openShelf();
      const port = toPort(53);
      if (opened === undefined || port === undefined) throw new Error('There is room for a shelf');
      shelf = TestShelf.over(opened);
      for (const { backend } of FAMILIES)
        datapath.setAnswerSource({
          address: toIp(backend),
          port,
          from: { shelf: opened.number, view: VIEW },
        });
      const answers = [{ type: 1, data: Uint8Array.of(192, 0, 2, 77) }];
      shelf.put({ labels: LABELS, type: 1, view: VIEW, answers, ttlSeconds: 300 }, 17);
    });
    afterEach(() => {
      shelf.close();
      datapath.remove();
    });

    test.each(FAMILIES.flatMap((family) => (['on', 'off'] as const).map((state) => ({ ...family, state }))))(
      'the client takes what nobody serves ($family, offloads $state)',
      ({ vip, state }) => {
        switchOffloads(state);
        // With EDNS and a cookie, as dig asks by itself; with neither; with a bare OPT record.
        expect([dig(vip), dig(vip, '+noedns'), dig(vip, '+nocookie')]).toEqual(Array(3).fill('192.0.2.77'));
        expect(datapath.counters()).toMatchObject({ answered: 3n, redirected: 0n });
      },
    );
  });
});
