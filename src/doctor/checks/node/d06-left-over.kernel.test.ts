/** What a killed cache leaves on a node, found while nobody listens and only then; its fixes are run as they are printed. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { RealNode } from '../../testing/real-node.ts';
import { d06 } from './d06-left-over.ts';

const IP = '169.254.20.10';

let node: RealNode;

beforeAll(() => {
  node = new RealNode('d06');
});

afterEach(() => {
  node.network.inNode('nft', 'flush', 'ruleset');
});

afterAll(() => node.close());

function addInterface(ifname: string, address: string): void {
  node.network.inNode('ip', 'link', 'add', ifname, 'type', 'bridge');
  node.network.inNode('ip', 'addr', 'add', address, 'dev', ifname);
}

test('an interface without a listener is found until somebody listens', async () => {
  addInterface('nodelocaldns', `${IP}/32`);
  const [finding] = await node.findings(d06);
  expect(finding).toMatchObject({ id: 'D06', severity: 'broken' });
  const server = await node.network.serve(node.network.node, IP, '192.0.2.1');
  expect(await node.findings(d06)).toEqual([]);
  await node.network.kill(server);
  const [again] = await node.findings(d06);
  node.network.inNode('bash', '-c', again?.fix.text ?? 'false');
  expect(await node.findings(d06)).toEqual([]);
});

test('a cache that runs and does not listen is told from one that is gone', async () => {
  addInterface('odd', '169.254.99.1/32');
  expect(await node.findings(d06)).toEqual([]);
  const cache = await node.startNodeCache('-localip', '169.254.99.1', '-interfacename', 'odd');
  const [finding] = await node.findings(d06);
  expect(finding?.cause).toContain('serves nothing');
  await node.network.kill(cache);
});

test('rules without interface and listener are found, and the printed commands remove them', async () => {
  for (const protocol of ['udp', 'tcp'])
    node.network.inNode(
      'iptables-nft',
      ...[
        '-t',
        'raw',
        '-I',
        'PREROUTING',
        '-d',
        '10.96.0.10',
        '-p',
        protocol,
        '--dport',
        '53',
        '-j',
        'NOTRACK',
      ],
      ...['-m', 'comment', '--comment', 'NodeLocal DNS Cache: skip conntrack'],
    );
  const [finding] = await node.findings(d06);
  expect(finding).toMatchObject({ id: 'D06', severity: 'warning' });
  node.network.inNode('bash', '-ec', finding?.fix.text ?? 'false');
  expect(await node.findings(d06)).toEqual([]);
});
