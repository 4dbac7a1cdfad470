import { describe, expect, it } from 'vitest';
import { unknownClusterFacts } from '../site/site.ts';
import { address } from '../testing/live-site.ts';
import { siteOf } from '../testing/manifest-report.ts';
import { reachNodes, type Ways } from './reach-nodes.ts';

const node = (name: string, ip: string) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name } },
    status: { addresses: [{ type: 'InternalIP', address: ip }] },
  });
const agent = (name: string, on: string, hostNetwork = true) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'dns' } },
    spec: {
      nodeName: on,
      hostNetwork,
      containers: [{ name: 'agent', image: 'registry.example/zerohop:1.2', command: ['zerohop', 'agent'] }],
    },
    status: { phase: 'Running', podIP: '192.0.2.1' },
  });
const pod = JSON.stringify({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop' } },
  ...{ spec: { nodeName: 'w2', containers: [] }, status: { phase: 'Running', podIP: '10.244.2.7' } },
});

const SITE = siteOf(
  node('w1', '192.0.2.11'),
  node('w2', '192.0.2.12'),
  node('w3', '192.0.2.13'),
  agent('a-2', 'w2'),
  pod,
);
const here = { command: ['doctor-node'], names: ['laptop'], addresses: [] };
const ways = (over: Partial<Ways> = {}): Ways => ({ here, kubectl: ['kubectl', '--context', 'c'], ...over });

describe('reachNodes', () => {
  it.each([
    { name: 'its name', here: { ...here, names: ['w1'] } },
    { name: 'an address', here: { ...here, addresses: [address('192.0.2.11')] } },
  ])('knows this machine by $name', ({ here: own }) => {
    expect(reachNodes(SITE, ways({ here: own })).reaches[0]).toEqual({
      ...{ node: 'w1', how: 'here', command: ['doctor-node'] },
    });
  });

  it('goes by kubectl where an agent has a pod, and says of the rest what to do', () => {
    const { reaches, notLookedAt } = reachNodes(SITE, ways());
    expect(reaches).toEqual([
      {
        node: 'w2',
        how: 'kubectl exec dns/a-2',
        command: 'kubectl --context c -n dns exec -i a-2 -c agent -- zerohop doctor-node'.split(' '),
      },
    ]);
    expect(notLookedAt.map((one) => one.node)).toEqual(['w1', 'w3']);
    expect(notLookedAt[0]?.reason).toContain('run zerohop doctor on it');
  });

  it('asks no pod that somebody made look like an agent', () => {
    const site = siteOf(node('w2', '192.0.2.12'), agent('a-0', 'w2', false));
    expect(reachNodes(site, ways())).toMatchObject({ reaches: [], notLookedAt: [{ node: 'w2' }] });
  });

  it('says the command where there is no kubectl', () => {
    const { kubectl: _, ...without } = ways();
    expect(reachNodes(SITE, { ...without, node: 'w2' }).notLookedAt).toMatchObject([
      { node: 'w2', command: 'kubectl -n dns exec a-2 -c agent -- zerohop doctor' },
    ]);
  });

  it('looks at the node of the one pod, and at none for a pod that is not there', () => {
    expect(reachNodes(SITE, ways({ pod: 'shop/web' })).reaches.map((one) => one.node)).toEqual(['w2']);
    expect(reachNodes(SITE, ways({ pod: 'shop/wob' }))).toEqual({ reaches: [], notLookedAt: [] });
  });

  it('names the nodes there are when the one that is asked for is not among them', () => {
    expect(reachNodes(SITE, ways({ node: 'w9' })).notLookedAt).toEqual([
      { node: 'w9', reason: 'the cluster has no node of this name; it has w1, w2, w3' },
    ]);
  });

  it('looks at this machine where no API server tells of nodes', () => {
    const dark = { ...SITE, cluster: unknownClusterFacts('there is no API server') };
    expect(reachNodes(dark, ways({ here: { ...here, names: ['w1'] } })).reaches).toMatchObject([
      { node: 'w1', how: 'here' },
    ]);
  });

  it('takes the nodes of a lab for namespaces of this machine', () => {
    const lab = new Map([['w1', ['nsenter', 'w1']]]);
    const own = { ...here, names: ['w3'] };
    const { reaches } = reachNodes(SITE, { here: own, lab });
    expect(reaches).toEqual([{ node: 'w1', how: 'the lab', command: ['nsenter', 'w1'] }]);
  });

  it('does not start a process for each of a thousand nodes', () => {
    const names = Array.from({ length: 40 }, (_, i) => `n${String(i).padStart(2, '0')}`);
    const site = siteOf(...names.flatMap((name) => [node(name, '192.0.2.1'), agent(`a-${name}`, name)]));
    const { reaches, notLookedAt } = reachNodes(site, ways());
    expect([reaches.length, notLookedAt.length]).toEqual([16, 24]);
    expect(notLookedAt[0]?.command).toContain('exec a-n16');
  });
});
