/** The interface of IPVS and a node cache's, both with the cluster IP. This kernel has no IPVS: its interface stands in. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RealNode } from '../../testing/real-node.ts';
import { d03 } from './d03-ipvs-address.ts';

let node: RealNode;

beforeAll(() => {
  node = new RealNode('d03');
});

afterAll(() => node.close());

function add(ifname: string): void {
  node.network.inNode('ip', 'link', 'add', ifname, 'type', 'bridge');
  node.network.inNode('ip', 'addr', 'add', '10.96.0.10/32', 'dev', ifname);
}

test('a cluster IP on both interfaces is found, and gone with the one of the cache', async () => {
  add('kube-ipvs0');
  expect(await node.findings(d03)).toEqual([]);
  add('nodelocaldns');
  const [finding] = await node.findings(d03);
  expect(finding).toMatchObject({ id: 'D03', severity: 'bypassed', node: 'worker-1' });
  expect(finding?.evidence).toContain('10.96.0.10 is an address of nodelocaldns, too');
  node.network.inNode('ip', 'link', 'del', 'nodelocaldns');
  expect(await node.findings(d03)).toEqual([]);
});

test('it is enough that the cache was told the address', async () => {
  const cache = await node.startNodeCache('-localip', '169.254.20.10,10.96.0.10');
  expect(await node.findings(d03)).toHaveLength(1);
  await node.network.kill(cache);
  expect(await node.findings(d03)).toEqual([]);
});
