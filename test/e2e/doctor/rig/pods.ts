/** Pods that faults add to the cluster, as YAML. The lab has no controllers: a DaemonSet is written together with its pod. */
export interface CachePodSpec {
  readonly name: string;
  /** Of its DaemonSet, of that name. */
  readonly owner: string;
  readonly args: readonly string[];
  readonly hostNetwork?: boolean;
  readonly label?: string;
  readonly configMap?: string;
  readonly dnsPolicy?: string;
}

/** A node cache on the worker node: ours stands for the original, whose flags it takes. */
export function cachePod(spec: CachePodSpec): string {
  const { name, owner, args, hostNetwork = false, label = owner, configMap = 'node-local-dns' } = spec;
  return `
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: kube-system
  labels: { k8s-app: ${label} }
  ownerReferences:
    - { apiVersion: apps/v1, kind: DaemonSet, name: ${owner}, uid: 5b1d0c9e-0000-4000-8000-0000000000aa, controller: true }
spec:
  nodeName: k8s-w1
  hostNetwork: ${hostNetwork}
  dnsPolicy: ${spec.dnsPolicy ?? 'Default'}
  containers:
    - name: node-cache
      image: zerohop
      args: ${JSON.stringify(['node-cache', ...args])}
      ports:
        - { name: dns, containerPort: 53, protocol: UDP }
        - { name: dns-tcp, containerPort: 53, protocol: TCP }
      volumeMounts: [{ name: config-volume, mountPath: /etc/coredns }]
  volumes:
    - name: config-volume
      configMap: { name: ${configMap}, items: [{ key: Corefile, path: Corefile.base }] }
`;
}

/** The Corefile of upstream's nodelocaldns.yaml, in short: bound to the addresses it takes for itself. */
export function hostCacheConfig(name: string, bind: string): string {
  const block = (zone: string, upstream: string) => `    ${zone}:53 {
        errors
        cache 30
        reload
        loop
        bind ${bind}
        forward . ${upstream}
    }`;
  return `
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name}, namespace: kube-system }
data:
  Corefile: |
${block('cluster.local', '__PILLAR__CLUSTER__DNS__')}
${block('.', '__PILLAR__UPSTREAM__SERVERS__')}
`;
}

/** A pod that waits, for clients and for servers that stay silent. */
export function idlePod(name: string, labels: Readonly<Record<string, string>>, more = ''): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${labels['k8s-app'] === undefined ? 'default' : 'kube-system'}, labels: ${JSON.stringify(labels)} }
spec:
  nodeName: k8s-w1
${more}
  containers:
    - { name: main, image: netshoot, command: [sleep, infinity] }
`;
}
