/** A client whose connection stays with a server that is gone, as kube-proxy leaves it; and counters that grow. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toIp } from '../../../datapath/testing/conformance.ts';
import type { TestPod } from '../../../datapath/testing/test-network.ts';
import { toPort } from '../../../net/port.ts';
import type { ClusterFacts } from '../../site/cluster-facts.ts';
import { known } from '../../site/known.ts';
import { RealNode } from '../../testing/real-node.ts';
import { d07 } from './d07-conntrack.ts';

const VIP = '10.96.0.10';
const GONE = '172.20.0.30';

let node: RealNode;
let client: TestPod;

beforeAll(() => {
  node = new RealNode('d07');
  client = node.network.addPod('client', '172.20.0.20');
  node.network.translate(VIP, GONE);
});

afterAll(() => node.close());

const row = { namespace: 'kube-system', name: 'kube-dns', uid: 'u', createdAtMs: 0 };
const port = toPort(53);

function cluster(endpoint: string): Partial<ClusterFacts> {
  if (port === undefined) throw new Error('53 is a port');
  const ports = [{ name: 'dns', port, protocol: 'UDP' as const }];
  const service = {
    ...row,
    type: 'ClusterIP' as const,
    clusterIPs: [toIp(VIP)],
    headless: false,
    externalIPs: [],
    ports,
    selector: { 'k8s-app': 'kube-dns' },
    publishNotReadyAddresses: false,
  };
  const endpoints = [{ addresses: [toIp(endpoint)], ready: true, serving: true, terminating: false }];
  const slice = { ...row, serviceName: 'kube-dns', addressType: 'IPv4' as const, endpoints, ports };
  return { services: known([service]), endpointSlices: known([slice]) };
}

describe('d07', () => {
  test('finds a connection that waits for a server that is no endpoint, and not one to an endpoint', async () => {
    expect(await node.findings(d07, { cluster: cluster('172.20.0.31') })).toEqual([]);
    node.network.inNode('ip', 'link', 'add', 'void', 'type', 'bridge');
    node.network.inNode('ip', 'link', 'set', 'void', 'up');
    node.network.inNode('ip', 'neigh', 'add', GONE, 'lladdr', '02:00:00:00:00:01', 'dev', 'void');
    node.network.inNode('ip', 'route', 'add', `${GONE}/32`, 'dev', 'void');
    node.network.run(client.netns, 'bash', '-c', `echo x > /dev/udp/${VIP}/53`);
    const [finding] = await node.findings(d07, { cluster: cluster('172.20.0.31') });
    expect(finding).toMatchObject({ id: 'D07', severity: 'broken' });
    expect(finding?.evidence.join('\n')).toContain(`tracked to ${GONE}`);
    expect(await node.findings(d07, { cluster: cluster(GONE) })).toEqual([]);
  });

  test.each([
    {
      name: 'losses of now',
      over: { counters: { insert_failed: 9 }, before: { counters: { insert_failed: 2 }, agoMs: 5000 } },
      evidence: 'insert_failed +7 in 5.0 s, 9 since boot',
    },
    {
      name: 'a table that is nearly full',
      over: { counters: {}, count: 90, max: 100 },
      evidence: 'nf_conntrack_count 90 of nf_conntrack_max 100',
    },
  ])('finds $name', async ({ over, evidence }) => {
    const facts = { conntrack: known({ entries: [], entriesOmitted: 0, ...over }) };
    expect(await node.findings(d07, { facts })).toMatchObject([
      { id: 'D07', severity: 'warning', evidence: [evidence] },
    ]);
  });

  test('says nothing of losses that are long ago', async () => {
    const counters = { insert_failed: 100, drop: 5 };
    const conntrack = known({ entries: [], entriesOmitted: 0, counters, before: { counters, agoMs: 5000 } });
    expect(await node.findings(d07, { facts: { conntrack } })).toEqual([]);
  });
});
