/** How pods are run: each fault is found, and gone when it is taken out. */
import { describe, expect, it } from 'vitest';
import { parseIp } from '../../../net/ip.ts';
import { runChecks } from '../../run-checks.ts';
import { known } from '../../site/known.ts';
import { type Site, unknownAgentFacts, unknownNodeFacts } from '../../site/site.ts';
import { CLUSTER_DNS, changed, foundBy, POD_CACHE, siteOf } from '../../testing/manifest-report.ts';
import { d24 } from './d24-two-caches.ts';

const HOST_APP = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: collector, namespace: logs }
spec: { template: { spec: { hostNetwork: true, containers: [{ name: c, image: collector }] } } }
`;

describe('d21', () => {
  it("finds ClusterFirst on the host's network, and says less of the system's own", async () => {
    expect(await foundBy('D21', HOST_APP)).toEqual(['D21 warning DaemonSet logs/collector']);
    const system = changed(HOST_APP, 'namespace: logs', 'namespace: kube-system');
    expect(await foundBy('D21', system)).toEqual(['D21 info DaemonSet kube-system/collector']);
    // kube-proxy and the agents of CNIs live there: to patch them all is to take the network down.
    expect((await runChecks(siteOf(system))).findings[0]?.fix.kind).toBe('text');
  });

  it.each([
    'dnsPolicy: ClusterFirstWithHostNet, hostNetwork: true',
    'dnsPolicy: Default, hostNetwork: true',
    'hostNetwork: false',
  ])('has nothing against %s', async (spec) => {
    expect(await foundBy('D21', changed(HOST_APP, 'hostNetwork: true', spec))).toEqual([]);
  });

  it('finds a cache on the host that asks itself', async () => {
    const cache = changed(
      changed(POD_CACHE, 'hostNetwork: false', 'hostNetwork: true'),
      'dnsPolicy: Default',
      'dnsPolicy: ClusterFirstWithHostNet',
    );
    expect(await foundBy('D21', CLUSTER_DNS, cache)).toEqual([
      'D21 broken DaemonSet kube-system/node-local-dns',
    ]);
    const elsewhere = cache.replaceAll('/etc/resolv.conf', '192.0.2.53');
    const apart = elsewhere.replaceAll('__PILLAR__UPSTREAM__SERVERS__', '192.0.2.53');
    expect(await foundBy('D21', CLUSTER_DNS, apart)).toEqual([]);
  });
});

describe('d24', () => {
  it('finds a second cache, and a mesh that takes the queries first', async () => {
    const second = changed(
      POD_CACHE,
      'name: node-local-dns, namespace',
      'name: nodelocaldns-second, namespace',
    );
    expect(await foundBy('D24', CLUSTER_DNS, POD_CACHE, second)).toHaveLength(1);
    expect(await foundBy('D24', CLUSTER_DNS, POD_CACHE)).toEqual([]);
    const mesh = changed(
      changed(HOST_APP, 'collector, namespace', 'ztunnel, namespace'),
      'image: collector',
      'image: istio/ztunnel:1.29',
    );
    expect(await foundBy('D24', CLUSTER_DNS, POD_CACHE, mesh)).toEqual([
      'D24 warning DaemonSet logs/ztunnel',
    ]);
  });

  it('finds two processes of a node on port 53, its stub resolver not among them', async () => {
    const site = (addresses: readonly string[], isOwned = true): Site => ({
      ...siteOf(CLUSTER_DNS),
      nodes: [
        {
          name: 'w1',
          agent: unknownAgentFacts('not asked'),
          facts: {
            ...unknownNodeFacts('not looked at'),
            sockets: known(
              addresses.flatMap((text, pid) => {
                const address = parseIp(text);
                const owner = isOwned ? { pid } : {};
                return address === undefined
                  ? []
                  : [{ protocol: 'UDP' as const, address, port: 53, ...owner }];
              }),
            ),
          },
        },
      ],
    });
    const both = await runChecks(site(['169.254.10.10', '169.254.20.10']), [d24]);
    expect(both.findings).toMatchObject([{ id: 'D24', node: 'w1' }]);
    expect(both.findings[0]?.cause).toContain('AKS LocalDNS');
    expect((await runChecks(site(['169.254.20.10', '127.0.0.53']), [d24])).findings).toEqual([]);
    const unowned = site(['169.254.10.10', '169.254.20.10'], false);
    expect((await runChecks(unowned, [d24])).findings).toEqual([]);
  });
});

describe('d33', () => {
  it('tells of a document that does not parse, and of nothing else', async () => {
    expect(await foundBy('D33', CLUSTER_DNS)).toEqual([]);
    expect(await foundBy('D33', CLUSTER_DNS, 'kind: [unfinished')).toEqual(['D33 warning file-2.yaml']);
  });
});
