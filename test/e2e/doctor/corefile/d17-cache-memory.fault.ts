/**
 * Upstream's memory limit for a Corefile of four caches. The kernel's end of it is left out: the lab's pods have no memory
 * controller, and the machine is not to be filled.
 */
import type { Fault } from '../rig/fault.ts';

export const d17: Fault = {
  id: 'D17',
  name: 'four caches below a limit for one',
  build: async (lab, keep) =>
    keep(
      await lab.objects.apply(`
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: node-local-dns, namespace: kube-system }
spec:
  selector: { matchLabels: { k8s-app: node-local-dns } }
  template:
    metadata: { labels: { k8s-app: node-local-dns } }
    spec:
      dnsPolicy: Default
      containers:
        - name: node-cache
          image: zerohop
          args: [node-cache, -localip, "169.254.20.10,10.96.0.10", -conf, /etc/Corefile, -upstreamsvc, kube-dns-upstream, -skipteardown=true, -setupinterface=false, -setupiptables=false]
          resources: { limits: { memory: 200Mi } }
          ports:
            - { name: dns, containerPort: 53, protocol: UDP }
            - { name: dns-tcp, containerPort: 53, protocol: TCP }
          volumeMounts: [{ name: config-volume, mountPath: /etc/coredns }]
      volumes: [{ name: config-volume, configMap: { name: node-local-dns } }]
`),
    ),
  finds: {
    severity: 'warning',
    object: 'DaemonSet kube-system/node-local-dns',
    says: ['container node-cache has a limit of 200 MiB', /4 caches hold up to 79872 answers together/],
  },
};
