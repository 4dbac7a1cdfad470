/** The field reports' cluster as a snapshot: two nodes, kube-dns, two coredns, a cache per node, netshoot on k8s-w1. */
import { type NodeRow, objectKey, type PodRow, type ServiceRow } from '../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../../cluster/snapshot.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { toPort } from '../../net/port.ts';

export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`no address: ${text}`);
  return parsed;
}

export function samplePod(name: string, fields: Partial<PodRow> & { readonly address: string }): PodRow {
  const { address, ...rest } = fields;
  return {
    namespace: 'kube-system',
    name,
    uid: name,
    createdAtMs: 0,
    nodeName: 'k8s-w1',
    podIPs: [ip(address)],
    hostNetwork: false,
    phase: 'Running',
    ready: true,
    deleting: false,
    labels: {},
    containerPorts: [],
    ...rest,
  };
}

const node = (name: string, address: string): NodeRow => ({
  ...{ namespace: '', name, uid: name, createdAtMs: 0 },
  internalIPs: [ip(address)],
  labels: {},
});

const dnsPort = toPort(53) ?? missing();
const kubeDns: ServiceRow = {
  ...{ namespace: 'kube-system', name: 'kube-dns', uid: 'kube-dns', createdAtMs: 0 },
  type: 'ClusterIP',
  clusterIPs: [ip('10.96.0.10')],
  headless: false,
  externalIPs: [],
  ports: [
    { name: 'dns', port: dnsPort, protocol: 'UDP' },
    { name: 'dns-tcp', port: dnsPort, protocol: 'TCP' },
  ],
  selector: { 'k8s-app': 'kube-dns' },
  publishNotReadyAddresses: false,
};

const cache = {
  labels: { 'k8s-app': 'node-local-dns' },
  containerPorts: [
    { name: 'dns', port: dnsPort, protocol: 'UDP' },
    { name: 'dns-tcp', port: dnsPort, protocol: 'TCP' },
  ],
} as const;
const coredns = { labels: { 'k8s-app': 'kube-dns', 'pod-template-hash': 'x' } };

export const PODS: readonly PodRow[] = [
  samplePod('netshoot', { address: '172.20.1.5', namespace: 'default', labels: { run: 'netshoot' } }),
  samplePod('node-local-dns-w1', { address: '172.20.1.9', ...cache }),
  samplePod('node-local-dns-ctr', { address: '172.20.0.9', nodeName: 'k8s-ctr', ...cache }),
  samplePod('coredns-a', { address: '172.20.0.23', nodeName: 'k8s-ctr', ...coredns }),
  samplePod('coredns-b', { address: '172.20.1.99', ...coredns }),
];

export const SAMPLE_CLUSTER: ClusterSnapshot = {
  ...EMPTY_SNAPSHOT,
  generation: 1,
  synced: new Set(['services', 'endpointSlices', 'pods', 'nodes', 'namespaces', 'localRedirectPolicies']),
  pods: new Map(PODS.map((pod) => [objectKey(pod), pod])),
  services: new Map([[objectKey(kubeDns), kubeDns]]),
  nodes: new Map(
    [node('k8s-ctr', '192.168.10.100'), node('k8s-w1', '192.168.10.101')].map((row) => [objectKey(row), row]),
  ),
  namespaces: new Map(
    ['default', 'kube-system'].map((name) => [
      `/${name}`,
      { ...{ namespace: '', name, uid: name, createdAtMs: 0 }, labels: {} },
    ]),
  ),
};

function missing(): never {
  throw new Error('no port');
}
