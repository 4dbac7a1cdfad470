/** What no test can make happen on this kernel: nodes of Cilium, GKE and IPVS, as their facts would be. */
import { describe, expect, it } from 'vitest';
import { known } from '../site/known.ts';
import type { HookFact, NodeFacts } from '../site/node-facts.ts';
import { address, liveSite, NODE, podOf, probe } from '../testing/live-site.ts';
import { CILIUM, CLUSTER_DNS, changed, POD_CACHE, POLICY } from '../testing/manifest-report.ts';
import { observedServer } from './observed-server.ts';

const CACHE_POD = podOf('DaemonSet kube-system/node-local-dns', 'node-local-dns-w1', {
  node: NODE,
  ip: '172.20.1.9',
});
const REMOTE_POD = podOf('DaemonSet kube-system/node-local-dns', 'node-local-dns-w2', {
  node: 'w2',
  ip: '172.20.0.9',
});
const NOT_READY = podOf('DaemonSet kube-system/node-local-dns', 'node-local-dns-w1', {
  node: NODE,
  ip: '172.20.1.9',
  ready: false,
});

const CIL: Partial<NodeFacts> = {
  hooks: known<readonly HookFact[]>([
    { place: 'cgroup connect4', owners: [{ kind: 'cgroup', name: 'cil_sock4_conne', id: 7 }] },
  ]),
};
const STOCK: Partial<NodeFacts> = {
  interfaces: known([
    {
      name: 'nodelocaldns',
      ifindex: 9,
      kind: 'dummy',
      up: true,
      addresses: [address('10.96.0.10'), address('169.254.20.10')],
    },
  ]),
  sockets: known([
    { protocol: 'UDP', address: address('10.96.0.10'), port: 53, pid: 4, command: 'node-cache' },
    { protocol: 'UDP', address: address('169.254.20.10'), port: 53, pid: 4, command: 'node-cache' },
  ]),
};
const IPVS: Partial<NodeFacts> = {
  proxy: known({ mode: 'ipvs', evidence: 'interface kube-ipvs0', ipvsAddresses: [address('10.96.0.10')] }),
};
const GKE = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: redirectservices.networking.gke.io }
`;

function observed(manifests: readonly string[], facts: Partial<NodeFacts>, target = '10.96.0.10') {
  const site = liveSite({ manifests: [CLUSTER_DNS, ...manifests], facts });
  const [node] = site.nodes;
  return node && observedServer(site, node, probe({ target: address(target) }));
}

describe('observedServer', () => {
  it.each([
    { name: "Cilium's redirect", manifests: [POD_CACHE, CACHE_POD, POLICY, CILIUM], facts: CIL, cache: true },
    {
      name: 'the same without its policy',
      manifests: [POD_CACHE, CACHE_POD, CILIUM],
      facts: CIL,
      cache: false,
    },
    {
      name: 'the same where Cilium was not told to',
      manifests: [POD_CACHE, CACHE_POD, POLICY, changed(CILIUM, 'enable-local-redirect-policy: "true"', '')],
      facts: CIL,
      cache: false,
    },
    {
      name: 'the same with its only pod on another node',
      manifests: [POD_CACHE, REMOTE_POD, POLICY, CILIUM],
      facts: CIL,
      cache: false,
    },
    {
      name: 'the same with a pod that is not ready',
      manifests: [POD_CACHE, NOT_READY, POLICY, CILIUM],
      facts: CIL,
      cache: false,
    },
    { name: "GKE's redirect service", manifests: [POD_CACHE, CACHE_POD, GKE], facts: CIL, cache: true },
    {
      name: "a stock cache's cluster IP under Cilium",
      manifests: [],
      facts: { ...CIL, ...STOCK },
      cache: false,
    },
    {
      name: "a stock cache's cluster IP under IPVS",
      manifests: [],
      facts: { ...IPVS, ...STOCK },
      cache: false,
    },
    { name: "a stock cache's cluster IP", manifests: [], facts: STOCK, cache: true },
    {
      name: 'its link-local address under Cilium',
      manifests: [],
      facts: { ...CIL, ...STOCK },
      target: '169.254.20.10',
      cache: true,
    },
    {
      name: 'its link-local address under IPVS',
      manifests: [],
      facts: { ...IPVS, ...STOCK },
      target: '169.254.20.10',
      cache: true,
    },
  ])('takes $name for $cache', ({ manifests, facts, target, cache }) => {
    expect(observed(manifests, facts, target)?.server.cache).toBe(cache);
  });

  it.each([
    { name: 'nothing is known', manifests: [], facts: {} },
    {
      name: 'the address is held and nobody listens there',
      manifests: [],
      facts: { ...STOCK, sockets: known([]) },
    },
    {
      name: 'somebody listens at an address that the node does not have',
      manifests: [],
      facts: { ...STOCK, interfaces: known([]) },
    },
  ])('says nothing where $name', ({ manifests, facts }) => {
    expect(observed(manifests, facts)).toBeUndefined();
  });

  it('names the pod and says what it was seen by', () => {
    expect(observed([POD_CACHE, CACHE_POD, POLICY, CILIUM], CIL)).toMatchObject({
      server: { address: '172.20.1.9', pod: 'kube-system/node-local-dns-w1', node: NODE },
      step: {
        hook: 'socket',
        verdict: 'redirected',
        reason: expect.stringContaining('policy kube-system/nodelocaldns'),
      },
    });
    expect(observed([], STOCK)?.step.reason).toContain(
      'node-cache (pid 4) listens on 10.96.0.10:53 of w1, which has 10.96.0.10 on nodelocaldns',
    );
  });
});
