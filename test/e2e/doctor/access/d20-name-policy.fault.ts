/** A rule for names whose DNS rule names the cluster's servers: the cache's answers never pass Cilium's proxy. */
import type { Fault } from '../rig/fault.ts';

export const d20: Fault = {
  id: 'D20',
  name: 'a rule for names that sees nothing of the cache',
  build: async (lab, keep) =>
    keep(
      await lab.objects.apply(`
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: by-name, namespace: default }
spec:
  endpointSelector: { matchLabels: { app: nobody } }
  egress:
    - toEndpoints: [{ matchLabels: { "k8s:io.kubernetes.pod.namespace": kube-system, "k8s:k8s-app": kube-dns } }]
      toPorts: [{ ports: [{ port: "53", protocol: ANY }], rules: { dns: [{ matchPattern: "*" }] } }]
    - toFQDNs: [{ matchName: github.com }]
`),
    ),
  finds: {
    severity: 'broken',
    object: 'CiliumNetworkPolicy default/by-name',
    says: [
      /allows by name: github\.com/,
      /none of its rules with "rules: dns" selects DaemonSet kube-system\/node-local-dns/,
    ],
  },
};
