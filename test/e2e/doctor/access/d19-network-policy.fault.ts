/**
 * A policy that allows DNS by the labels of the cluster's own servers: the redirected query goes to the cache's pod, which is
 * not among them. The lab enforces no policies: a rule in the pod's own network drops what a CNI would drop.
 */
import { CLIENT, type Fault } from '../rig/fault.ts';

const POLICY = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: only-dns, namespace: default }
spec:
  podSelector: { matchLabels: { run: netshoot } }
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: kube-system } }
          podSelector: { matchLabels: { k8s-app: kube-dns } }
      ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
`;

export const d19: Fault = {
  id: 'D19',
  name: 'a network policy written for the cluster DNS (a rule in the pod stands for the CNI)',
  async build(lab, keep) {
    keep(await lab.objects.apply(POLICY));
    keep(async () => {
      await lab.inPod(CLIENT, 'nft', 'delete', 'table', 'ip', 'cni');
    });
    await lab.inPod(
      CLIENT,
      'nft',
      'add table ip cni; add chain ip cni out { type filter hook output priority 0; }; add rule ip cni out meta l4proto { udp, tcp } th dport 53 drop',
    );
  },
  finds: {
    severity: 'broken',
    object: 'NetworkPolicy default/only-dns',
    says: [
      /Pod default\/netshoot: (UDP and TCP|TCP and UDP) to port 53 of DaemonSet kube-system\/node-local-dns is not allowed/,
    ],
  },
  verdict: { pod: CLIENT, is: 'BROKEN', because: 'D19' },
};
