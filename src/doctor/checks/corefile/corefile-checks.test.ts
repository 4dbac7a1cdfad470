/** Faults of Corefiles and of what is filled into them: each is found, and gone when it is taken out. */
import { describe, expect, it } from 'vitest';
import { runChecks } from '../../run-checks.ts';
import { known } from '../../site/known.ts';
import { type Site, unknownAgentFacts, unknownNodeFacts } from '../../site/site.ts';
import {
  CLUSTER_DNS,
  changed,
  foundBy,
  POD_CACHE,
  POLICY,
  reportOf,
  siteOf,
} from '../../testing/manifest-report.ts';
import { d09 } from './d09-upstream-loop.ts';
import { d10 } from './d10-placeholders.ts';
import { d18 } from './d18-negative-ttl.ts';

const CACHE = 'DaemonSet kube-system/node-local-dns';
const SERVER = 'Deployment kube-system/coredns';

describe('d09', () => {
  it.each(['127.0.0.53', '127.0.0.1:53', '[::1]:53'])('finds %s among the upstreams', async (address) => {
    const dns = changed(CLUSTER_DNS, 'forward . /etc/resolv.conf', `forward . ${address}`);
    expect(await foundBy('D09', dns)).toEqual([`D09 broken ${SERVER}`]);
  });

  it('lets another port of the same machine pass', async () => {
    const dns = changed(CLUSTER_DNS, 'forward . /etc/resolv.conf', 'forward . 127.0.0.1:5353');
    expect(await foundBy('D09', dns)).toEqual([]);
  });

  it('finds a cache whose upstream is the service that is redirected to it', async () => {
    const cache = changed(POD_CACHE, '-upstreamsvc, kube-dns-upstream', '-upstreamsvc, kube-dns');
    expect(await foundBy('D09', CLUSTER_DNS, cache, POLICY)).toEqual([`D09 broken ${CACHE}`]);
    const skipping = changed(POLICY, 'spec:\n', 'spec:\n  skipRedirectFromBackend: true\n');
    expect(await foundBy('D09', CLUSTER_DNS, cache, skipping)).toEqual([]);
  });

  it('finds a cache that has the DNS of the cluster for its resolv.conf', async () => {
    const cache = changed(POD_CACHE, 'dnsPolicy: Default', 'dnsPolicy: ClusterFirst');
    expect(await foundBy('D09', CLUSTER_DNS, cache, POLICY)).toEqual([`D09 broken ${CACHE}`]);
  });

  it('finds the stub resolver in the resolv.conf of a node that a server runs on', async () => {
    const pod = `
apiVersion: v1
kind: Pod
metadata:
  name: coredns-1
  namespace: kube-system
  labels: { k8s-app: kube-dns, pod-template-hash: abc }
  ownerReferences: [{ kind: ReplicaSet, name: coredns-abc, controller: true }]
spec: { nodeName: w1, dnsPolicy: Default, containers: [{ name: coredns, image: coredns }] }
`;
    const site = (nameserver: string): Site => ({
      ...siteOf(CLUSTER_DNS, pod),
      nodes: [
        {
          name: 'w1',
          facts: {
            ...unknownNodeFacts('not looked at'),
            resolvConf: known({
              path: '/etc/resolv.conf',
              nameservers: [nameserver],
              search: [],
              options: [],
            }),
          },
          agent: unknownAgentFacts('not asked'),
        },
      ],
    });
    expect((await runChecks(site('127.0.0.53'), [d09])).findings).toMatchObject([{ id: 'D09', node: 'w1' }]);
    expect((await runChecks(site('10.0.2.3'), [d09])).findings).toEqual([]);
    // Kubelet gives pods another file than the node's own, or the pod would not be ready.
    const ready = `${pod}status: { conditions: [{ type: Ready, status: "True" }] }`;
    expect(
      (await runChecks({ ...site('127.0.0.53'), cluster: siteOf(CLUSTER_DNS, ready).cluster }, [d09]))
        .findings,
    ).toEqual([]);
  });
});

describe('d10', () => {
  it('finds words that nobody replaces, in the Corefile and in the arguments', async () => {
    const zone = changed(POD_CACHE, 'cluster.local:53', '__PILLAR__DNS__DOMAIN__:53');
    expect(await foundBy('D10', CLUSTER_DNS, zone)).toEqual([
      'D10 broken ConfigMap kube-system/node-local-dns',
    ]);
    const args = changed(POD_CACHE, '169.254.20.10,10.96.0.10', '169.254.20.10,__PILLAR__DNS__SERVER__');
    expect(await foundBy('D10', CLUSTER_DNS, args)).toEqual([`D10 broken ${CACHE}`]);
  });

  it.each(['', '169.254.20.10,'])('finds -localip %j', async (text) => {
    expect(await foundBy('D10', CLUSTER_DNS, changed(POD_CACHE, '169.254.20.10,10.96.0.10', text))).toEqual([
      `D10 broken ${CACHE}`,
    ]);
  });

  it('finds an upstream service that is not there, and one that pods do not hear of', async () => {
    const other = changed(POD_CACHE, '-upstreamsvc, kube-dns-upstream', '-upstreamsvc, kube-dns-upstraem');
    expect(await foundBy('D10', CLUSTER_DNS, other)).toEqual([`D10 broken ${CACHE}`]);
    const deaf = changed(POD_CACHE, 'hostNetwork: false', 'enableServiceLinks: false');
    expect(await foundBy('D10', CLUSTER_DNS, deaf)).toEqual([`D10 broken ${CACHE}`]);
  });

  it('finds pods that are older than the service they read the address of', async () => {
    const pod = (time: string) => `
apiVersion: v1
kind: Pod
metadata:
  name: node-local-dns-1
  namespace: kube-system
  creationTimestamp: ${time}
  ownerReferences: [{ kind: DaemonSet, name: node-local-dns, controller: true }]
`;
    const dns = CLUSTER_DNS.replace(
      'name: kube-dns-upstream,',
      'name: kube-dns-upstream, creationTimestamp: "2026-01-02T00:00:00Z",',
    );
    const check = async (time: string) =>
      (await runChecks(siteOf(dns, POD_CACHE, pod(time)), [d10])).findings;
    expect(await check('"2026-01-01T00:00:00Z"')).toMatchObject([{ id: 'D10', object: CACHE }]);
    expect(await check('"2026-01-03T00:00:00Z"')).toEqual([]);
  });

  it('finds a Corefile that does not parse, and a forward without servers', async () => {
    expect(await foundBy('D10', changed(CLUSTER_DNS, 'loop\n    }', 'loop\n'))).toEqual([
      'D10 broken ConfigMap kube-system/coredns',
    ]);
    expect(await foundBy('D10', changed(CLUSTER_DNS, 'forward . /etc/resolv.conf', 'forward .'))).toEqual([
      `D10 broken ${SERVER}`,
    ]);
  });
});

describe('d17', () => {
  it('adds the caches of all blocks up and holds them against the limit', async () => {
    const tight = changed(POD_CACHE, '512Mi', '100Mi');
    expect(await foundBy('D17', CLUSTER_DNS, tight)).toEqual([`D17 warning ${CACHE}`]);
    const small = changed(
      changed(tight, 'cache 30\n', 'cache 30 {\n      success 1024\n      denial 1024\n      }\n'),
      'success 9984 30\n                denial 9984 5',
      'success 1024 30\n                denial 1024 5',
    );
    expect(await foundBy('D17', CLUSTER_DNS, small)).toEqual([]);
    expect(await foundBy('D17', CLUSTER_DNS, changed(POD_CACHE, 'limits: { memory: 512Mi }', ''))).toEqual(
      [],
    );
  });
});

describe('d18', () => {
  it('finds denials of cluster names that are kept long', async () => {
    const long = changed(POD_CACHE, 'denial 9984 5', 'denial 9984 300');
    const { findings } = await reportOf(CLUSTER_DNS, long, POLICY);
    expect(findings).toMatchObject([{ id: 'D18', severity: 'warning', object: CACHE }]);
    expect(findings[0]?.evidence[0]).toContain('300 s');
    expect(await foundBy('D18', CLUSTER_DNS, changed(POD_CACHE, 'denial 9984 5', 'disable denial'))).toEqual(
      [],
    );
  });

  it('names services that are younger than that', async () => {
    const service = (time: string) => `
apiVersion: v1
kind: Service
metadata: { name: new, namespace: default, creationTimestamp: "${time}" }
`;
    const check = async (time: string) =>
      (await runChecks({ ...siteOf(CLUSTER_DNS, service(time)), origin: 'live' }, [d18])).findings;
    expect(await check('2026-11-22T11:59:50Z')).toMatchObject([{ id: 'D18', severity: 'info' }]);
    expect(await check('2026-11-22T11:50:00Z')).toEqual([]);
  });
});
