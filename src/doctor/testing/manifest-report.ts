/** Checks over manifests that a test writes down: the fault as one would paste it from a cluster. */
import { manifestSite } from '../lint/manifest-site.ts';
import type { Report } from '../report/report.ts';
import { runChecks } from '../run-checks.ts';
import type { Site } from '../site/site.ts';

export const TAKEN_AT_MS = Date.UTC(2026, 10, 22, 12);

export function siteOf(...texts: readonly string[]): Site {
  const files = texts.map((text, index) => ({ file: `file-${index + 1}.yaml`, text }));
  return manifestSite({ files, takenAtMs: TAKEN_AT_MS });
}

export function reportOf(...texts: readonly string[]): Promise<Report> {
  return runChecks(siteOf(...texts));
}

/** `D26 bypassed DaemonSet kube-system/node-local-dns` of every finding. */
export async function found(...texts: readonly string[]): Promise<readonly string[]> {
  const { findings } = await reportOf(...texts);
  return findings.map(({ id, severity, object }) => `${id} ${severity} ${object ?? ''}`.trim());
}

export async function foundBy(id: string, ...texts: readonly string[]): Promise<readonly string[]> {
  return (await found(...texts)).filter((line) => line.startsWith(`${id} `));
}

const SERVICES = `
apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec:
  clusterIP: 10.96.0.10
  selector: { k8s-app: kube-dns }
  ports:
    - { name: dns, port: 53, protocol: UDP }
    - { name: dns-tcp, port: 53, protocol: TCP }
    - { name: metrics, port: 9153, protocol: TCP }
---
apiVersion: v1
kind: Service
metadata: { name: kube-dns-upstream, namespace: kube-system }
spec:
  clusterIP: 10.96.170.42
  selector: { k8s-app: kube-dns }
  ports:
    - { name: dns, port: 53, protocol: UDP }
    - { name: dns-tcp, port: 53, protocol: TCP }
`;

/** The cluster's own DNS, with the Corefile of kubeadm. */
export const CLUSTER_DNS = `${SERVICES}---
apiVersion: apps/v1
kind: Deployment
metadata: { name: coredns, namespace: kube-system }
spec:
  template:
    metadata: { labels: { k8s-app: kube-dns } }
    spec:
      dnsPolicy: Default
      containers:
        - name: coredns
          image: registry.k8s.io/coredns/coredns:v1.13.1
          args: [-conf, /etc/coredns/Corefile]
          ports:
            - { name: dns, containerPort: 53, protocol: UDP }
            - { name: dns-tcp, containerPort: 53, protocol: TCP }
          volumeMounts: [{ name: config-volume, mountPath: /etc/coredns }]
      volumes: [{ name: config-volume, configMap: { name: coredns } }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: coredns, namespace: kube-system }
data:
  Corefile: |
    .:53 {
        errors
        kubernetes cluster.local in-addr.arpa ip6.arpa {
           pods insecure
           fallthrough in-addr.arpa ip6.arpa
           ttl 30
        }
        forward . /etc/resolv.conf
        cache 30
        loop
    }
`;

/** A node cache for redirects as Cilium's example has it, switches included; tests change single words of it. */
export const POD_CACHE = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: node-local-dns, namespace: kube-system }
spec:
  template:
    metadata: { labels: { k8s-app: node-local-dns } }
    spec:
      dnsPolicy: Default
      hostNetwork: false
      containers:
        - name: node-cache
          image: registry.k8s.io/dns/k8s-dns-node-cache:1.26.4
          args: [-localip, "169.254.20.10,10.96.0.10", -conf, /etc/Corefile, -upstreamsvc, kube-dns-upstream, -skipteardown=true, -setupinterface=false, -setupiptables=false]
          resources: { limits: { memory: 512Mi } }
          ports:
            - { name: dns, containerPort: 53, protocol: UDP }
            - { name: dns-tcp, containerPort: 53, protocol: TCP }
          volumeMounts: [{ name: config-volume, mountPath: /etc/coredns }]
      volumes: [{ name: config-volume, configMap: { name: node-local-dns } }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: node-local-dns, namespace: kube-system }
data:
  Corefile: |
    cluster.local:53 {
        cache {
                success 9984 30
                denial 9984 5
        }
        loop
        bind 0.0.0.0
        forward . __PILLAR__CLUSTER__DNS__ {
                force_tcp
        }
    }
    .:53 {
        cache 30
        loop
        bind 0.0.0.0
        forward . __PILLAR__UPSTREAM__SERVERS__
    }
`;

/** The policy of the first field report. */
export const POLICY = `
apiVersion: cilium.io/v2
kind: CiliumLocalRedirectPolicy
metadata: { name: nodelocaldns, namespace: kube-system }
spec:
  redirectFrontend:
    serviceMatcher: { serviceName: kube-dns, namespace: kube-system }
  redirectBackend:
    localEndpointSelector: { matchLabels: { k8s-app: node-local-dns } }
    toPorts:
      - { port: "53", protocol: UDP, name: dns }
      - { port: "53", protocol: TCP, name: dns-tcp }
`;

/** Cilium 1.18.1 as the first field report sets it up. */
export const CILIUM = `
apiVersion: v1
kind: ConfigMap
metadata: { name: cilium-config, namespace: kube-system }
data:
  kube-proxy-replacement: "true"
  enable-local-redirect-policy: "true"
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: cilium, namespace: kube-system }
spec:
  template:
    spec:
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      containers: [{ name: cilium-agent, image: "quay.io/cilium/cilium:v1.18.1" }]
`;

/** One word of a manifest changed; a test that changes nothing would prove nothing. */
export function changed(text: string, from: string | RegExp, to: string): string {
  const result = text.replace(from, to);
  if (result === text) throw new Error(`nothing to change: ${String(from)}`);
  return result;
}
