/** A policy with two ports finds its backends by name: one letter in one of them, and that protocol is not redirected. */
import { POLICY_PATH } from '../rig/doctor-lab.ts';
import { CLIENT, type Fault } from '../rig/fault.ts';

export const d29: Fault = {
  id: 'D29',
  name: 'port names of service and policy that do not agree',
  async build(lab, keep) {
    keep(() => lab.untilRedirected().then(() => undefined));
    keep(await lab.objects.remove(POLICY_PATH));
    keep(
      await lab.objects.apply(`
apiVersion: cilium.io/v2
kind: CiliumLocalRedirectPolicy
metadata: { name: nodelocaldns, namespace: kube-system }
spec:
  redirectFrontend:
    serviceMatcher: { serviceName: kube-dns, namespace: kube-system }
  redirectBackend:
    localEndpointSelector: { matchLabels: { k8s-app: node-local-dns } }
    toPorts:
      - { port: "53", protocol: UDP, name: dns-udp }
      - { port: "53", protocol: TCP, name: dns-tcp }
`),
    );
    await lab.untilFrontend('k8s-w1', '10.96.0.10:53/UDP', 'ClusterIP');
  },
  finds: {
    severity: 'bypassed',
    object: 'CiliumLocalRedirectPolicy kube-system/nodelocaldns',
    says: [/10\.96\.0\.10:53\/UDP/, 'service kube-system/kube-dns has dns 53/UDP, dns-tcp 53/TCP'],
  },
  verdict: { pod: CLIENT, is: 'BYPASSED', because: 'D29' },
};
