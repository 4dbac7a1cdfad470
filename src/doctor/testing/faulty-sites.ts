/** Test support: sites with everything wrong that a check can find, for tests of what holds for all findings. */
import type { AgentSummary, UpstreamProbe } from '../site/agent-facts.ts';
import { known } from '../site/known.ts';
import type { HookFact, NodeFacts, RuleFact } from '../site/node-facts.ts';
import type { Site } from '../site/site.ts';
import { address, LIVE_AT_MS, liveSite, NODE, podOf, probe, summary } from './live-site.ts';
import { CILIUM, CLUSTER_DNS, changed, POD_CACHE, POLICY, siteOf } from './manifest-report.ts';

const VIP = address('10.96.0.10');
const LOCAL = address('169.254.20.10');
const GONE = address('172.20.0.99');

const CACHE_POD = podOf('DaemonSet kube-system/node-local-dns', 'node-local-dns-w1', {
  node: NODE,
  ip: '172.20.1.9',
});
const CLIENT_POD = podOf('Deployment default/netshoot', 'netshoot', { node: NODE, ip: '172.20.1.5' });

const rule = (fields: Partial<RuleFact>): RuleFact => ({
  ...{ backend: 'nft', family: 'ip', table: 'raw', chain: 'PREROUTING', verdict: 'notrack' },
  ...{ destination: VIP, protocol: 'UDP', destinationPort: 53, packets: 0 },
  text: '-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -j NOTRACK',
  ...fields,
});

const hooks: readonly HookFact[] = [
  { place: 'cgroup connect4', owners: [{ kind: 'cgroup', name: 'cil_sock4_conne', id: 7 }] },
  {
    place: 'v0 ingress',
    owners: (['zerohop', 'cil_from_contai'] as const).map((name, id) => ({
      ...{ kind: 'tcx' as const, name, id, direction: 'in' as const, ahead: false },
    })),
  },
];

/** A node on which a stock cache was started, and everything around it went wrong. */
const FACTS: Partial<NodeFacts> = {
  interfaces: known([
    {
      name: 'nodelocaldns',
      ifindex: 9,
      kind: 'dummy',
      up: true,
      addresses: [VIP, LOCAL, address('169.254.25.10')],
    },
    { name: 'antrea-gw0', ifindex: 10, kind: 'openvswitch', up: true, addresses: [] },
    { name: 'nk0', ifindex: 11, kind: 'netkit', up: true, addresses: [] },
  ]),
  rules: known([
    rule({}),
    rule({}),
    rule({ destination: address('169.254.30.1'), text: '-A PREROUTING -d 169.254.30.1/32 -j NOTRACK' }),
  ]),
  proxy: known({ mode: 'ipvs', evidence: 'interface kube-ipvs0', ipvsAddresses: [VIP] }),
  sockets: known([
    { protocol: 'TCP', address: address('0.0.0.0'), port: 9353, pid: 4, command: 'node-cache' },
    { protocol: 'UDP', address: LOCAL, port: 53, pid: 4, command: 'node-cache' },
    { protocol: 'UDP', address: LOCAL, port: 53, pid: 5, command: 'coredns' },
  ]),
  conntrack: known({
    ...{
      count: 95,
      max: 100,
      counters: { insert_failed: 9 },
      before: { counters: { insert_failed: 2 }, agoMs: 5000 },
    },
    entries: [
      {
        ...{
          protocol: 'UDP',
          source: address('172.20.1.5'),
          sourcePort: 4000,
          destination: VIP,
          destinationPort: 53,
        },
        ...{ replySource: GONE, replySourcePort: 53, unreplied: true, timeoutSeconds: 30 },
      },
    ],
    entriesOmitted: 0,
  }),
  resolvConf: known({
    ...{
      path: '/etc/resolv.conf',
      nameservers: ['127.0.0.53', '192.0.2.53'],
      search: ['eu.compute.internal'],
      options: [],
    },
  }),
  kernel: known({
    release: '5.4.0-1',
    features: {
      btf: false,
      cgroup2: false,
      bpfLink: false,
      tcx: false,
      netkit: false,
      socketCookieOfNetns: false,
    },
  }),
  hooks: known(hooks),
  processes: known([
    {
      ...{ pid: 4, command: 'node-cache', startedAtMs: LIVE_AT_MS - 5_000 },
      args: ['/node-cache', '-localip', '169.254.20.10,10.96.0.10', '-conf', '/etc/Corefile'],
    },
    {
      ...{ pid: 6, command: 'node-cache', startedAtMs: LIVE_AT_MS - 500_000 },
      args: ['/node-cache', '-localip', '169.254.40.10', '-conf', '/etc/Corefile'],
    },
  ]),
  xtablesLock: known({ path: '/run/xtables.lock', holders: [7], waiting: [8] }),
};

const FLOWS = summary({
  ...{ queries: 4000, searchMisses: 3500, truncated: 500, truncatedWithoutEdns: 400, truncatedAndDropped: 2 },
  ...{ retries: 40, unanswered: 20, pairedQueries: 900, pairsToServices: 900, parallelQueries: 4 },
  topSuffixes: [{ suffix: 'svc.cluster.local.', misses: 1600 }],
  droppingPods: ['default/netshoot'],
  retryingPods: [{ pod: 'default/netshoot', retries: 40 }],
  comparedLatencyMs: { p50: 1, p99: 500, count: 500 },
  serverLatencyMs: { p50: 1, p99: 5, count: 500 },
  topNames: [{ name: 'www.google.com.svc.cluster.local.', queries: 1600 }],
  topPods: [{ pod: 'default/netshoot', queries: 4000, searchMisses: 3500 }],
  upstreamPeaks: [{ address: address('169.254.169.253'), perSecond: 1500 }],
});

const PROBES = [
  probe({
    recursionAvailable: false,
    server: {
      address: address('172.20.0.23'),
      port: 53,
      pod: 'kube-system/coredns-a',
      node: 'w2',
      cache: false,
    },
    steps: [
      { hook: 'conntrack', destination: GONE, destinationPort: 53, verdict: 'dnat', reason: 'by somebody' },
    ],
  }),
  probe({
    outcome: 'refused',
    steps: [{ hook: 'pod', destination: VIP, destinationPort: 53, verdict: 'refused' }],
  }),
  probe({ outcome: 'unreachable', client: 'default/other' }),
];

const UPSTREAMS: readonly UpstreamProbe[] = [
  {
    ...{ address: address('192.0.2.53'), port: 53, tcpResetAfterMs: 4 },
    udp: { outcome: 'timeout', reason: 'E' },
    tcp: { outcome: 'answered', rcode: 'NOERROR', latencyMs: 1 },
  },
];

const HOST_APP = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: collector, namespace: logs }
spec: { template: { metadata: { labels: { app: c } }, spec: { hostNetwork: true, containers: [{ name: c, image: collector }] } } }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: ztunnel, namespace: mesh }
spec: { template: { spec: { containers: [{ name: c, image: "istio/ztunnel:1.29" }] } } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: closed, namespace: default }
spec: { podSelector: {}, policyTypes: [Egress], egress: [] }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: names, namespace: default }
spec: { endpointSelector: {}, egress: [{ toFQDNs: [{ matchName: example.com }] }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: netshoot, namespace: default }
spec: { template: { metadata: { labels: { run: netshoot } }, spec: { containers: [{ name: c, image: netshoot }] } } }
---
kind: [unfinished
`;

const IDLE = changed(
  changed(POLICY, 'name: nodelocaldns', 'name: idle'),
  'k8s-app: node-local-dns',
  'k8s-app: nobody',
);
const MISNAMED = changed(POLICY, 'name: dns-tcp }', 'name: other }');
const STOCK = changed(
  changed(POD_CACHE, 'hostNetwork: false', 'hostNetwork: true'),
  ', -skipteardown=true, -setupinterface=false, -setupiptables=false',
  '',
);
const HELM = 'kubeProxyReplacement: true\nlocalRedirectPolicy: true\n';
const SLICE = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: kube-dns-1, namespace: kube-system, labels: { kubernetes.io/service-name: kube-dns } }
addressType: IPv4
endpoints: [{ addresses: [172.20.0.23], conditions: { ready: true } }]
ports: [{ name: dns, port: 53, protocol: UDP }]
`;

/** Waits to be redirected to and nobody does; its Corefile is unfinished and too large. */
const LEFT = [
  [
    'cache 30',
    'cache 3600 {\n            success 200000\n            denial 200000 3600\n        }\n        forward . 127.0.0.1 __PILLAR__LEFT__',
  ],
  ['denial 9984 5', 'denial 9984 300'],
  ['-upstreamsvc, kube-dns-upstream', '-upstreamsvc, nobody'],
].reduce((text, [from = '', to = '']) => changed(text, from, to), POD_CACHE);

/** Of an agent whose kernel answers somebody, and not these. */
const STATUS: AgentSummary = {
  ...{ version: '0.0.0', startedAtMs: 0, redirects: true, redirected: 0, fellBack: {} },
  kernelAnswers: {
    ...{ on: true, problem: 'all are taken', served: [], answered: 1, of: 2 },
    refused: [
      {
        pod: 'default/netshoot',
        reason: 'network policies could not be listed: nobody knows whether one closes its egress',
      },
    ],
  },
};

export const FAULTY_SITES: readonly Site[] = [
  liveSite({
    manifests: [CLUSTER_DNS, SLICE, LEFT, CACHE_POD, CLIENT_POD, HOST_APP],
    facts: FACTS,
    agent: {
      ...{ probes: known(PROBES), flows: known(FLOWS), upstreams: known(UPSTREAMS) },
      status: known(STATUS),
    },
  }),
  liveSite({
    manifests: [CLUSTER_DNS, STOCK, CACHE_POD, CLIENT_POD, CILIUM, MISNAMED, IDLE],
    facts: {
      ...FACTS,
      rules: known([]),
      proxy: known({ mode: 'iptables', evidence: 'chain X', ipvsAddresses: [] }),
    },
    agent: { probes: known(PROBES.slice(0, 1)), flows: known(FLOWS), upstreams: known(UPSTREAMS) },
  }),
  siteOf(CLUSTER_DNS, POD_CACHE, MISNAMED, IDLE, HOST_APP, CILIUM, HELM),
  siteOf(
    CLUSTER_DNS,
    changed(POD_CACHE, ', -skipteardown=true', ''),
    POLICY,
    changed(CILIUM, 'enable-local-redirect-policy: "true"', ''),
    HOST_APP,
    HELM,
  ),
];
