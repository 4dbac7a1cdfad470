/** A node with an interface, a server, a pod and connections of DNS, seen as a whole. Needs root. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestNetwork, type TestPod } from '../../../datapath/testing/test-network.ts';
import { systemClock } from '../../../telemetry/clock.ts';
import { knownOr } from '../known.ts';
import { sampleConntrack } from './conntrack.ts';
import { gatherNode } from './gather-node.ts';

const VIP = '10.96.0.10';

let network: TestNetwork;
let client: TestPod;
let responder: number | undefined;

beforeAll(async () => {
  network = new TestNetwork('gather');
  client = network.addPod('client', '172.20.0.20');
  const server = network.addPod('server', '172.20.0.30');
  network.translate(VIP, server.address);
  await network.serve(server.netns, server.address, '192.0.2.1');
  network.enterNode();
  network.inNode('ip', 'link', 'add', 'nodelocaldns', 'type', 'bridge');
  network.inNode('ip', 'addr', 'add', '169.254.20.10/32', 'dev', 'nodelocaldns');
  responder = (await network.serve(network.node, '169.254.20.10', '192.0.2.2')).pid;
});

afterAll(() => network.close());

function gather(before = sampleConntrack(systemClock.monotonicMs())) {
  const options = { clock: systemClock, addresses: [VIP], hookDirectory: '/sys/fs/bpf/zh-test-none' };
  return gatherNode({ ...options, ...(before === undefined ? {} : { before }) });
}

describe('gatherNode', () => {
  test('knows every part of a node, the pod side of which it never entered', async () => {
    const facts = await gather();
    for (const [name, part] of Object.entries(facts)) expect(part, name).toHaveProperty('value');
  });

  test('sees interfaces with their addresses, the rules, and who is bound to port 53', async () => {
    const facts = await gather();
    const interfaces = knownOr(facts.interfaces, []);
    expect(interfaces.find(({ name }) => name === 'nodelocaldns')).toMatchObject({
      kind: 'bridge',
      addresses: ['169.254.20.10'],
    });
    expect(interfaces.find(({ name }) => name === client.ifname)).toMatchObject({ kind: 'veth', up: true });
    expect(knownOr(facts.rules, []).map(({ verdict, destination }) => [verdict, destination])).toEqual([
      ['dnat', VIP],
      ['dnat', VIP],
    ]);
    const bound = { address: '169.254.20.10', port: 53, pid: responder };
    expect(knownOr(facts.sockets, [])).toEqual([
      expect.objectContaining({ ...bound, protocol: 'UDP' }),
      expect.objectContaining({ ...bound, protocol: 'TCP' }),
    ]);
    expect(facts.proxy).toMatchObject({ value: { mode: 'none' } });
  });

  test('sees the connections of DNS with who was asked and who answers', async () => {
    expect(network.dig(client, `@${VIP}`, 'www.example')).toBe('192.0.2.1');
    const { conntrack } = await gather();
    expect(conntrack).toMatchObject({ value: { before: { agoMs: expect.any(Number) }, entriesOmitted: 0 } });
    expect('value' in conntrack ? conntrack.value.entries : []).toContainEqual(
      expect.objectContaining({
        protocol: 'UDP',
        source: '172.20.0.20',
        destination: VIP,
        replySource: '172.20.0.30',
        unreplied: false,
      }),
    );
  });

  test('says what the kernel of this machine has', async () => {
    const { kernel } = await gather();
    // Linux 6.7 and later have all of them but netkit, which is a matter of its configuration.
    expect(kernel).toMatchObject({ value: { features: { btf: true, bpfLink: true, cgroup2: true } } });
  });
});
