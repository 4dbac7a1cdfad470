/** A policy that selects nobody, by one word of a label: accepted by the API server, and without effect. */
import { POLICY_PATH } from '../rig/doctor-lab.ts';
import { CLIENT, type Fault } from '../rig/fault.ts';

export const d32: Fault = {
  id: 'D32',
  name: 'a policy that selects no pod',
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
    localEndpointSelector: { matchLabels: { k8s-app: nodelocaldns } }
    toPorts:
      - { port: "53", protocol: UDP, name: dns }
      - { port: "53", protocol: TCP, name: dns-tcp }
`),
    );
    await lab.untilRedirected(false);
  },
  finds: {
    severity: 'bypassed',
    object: 'CiliumLocalRedirectPolicy kube-system/nodelocaldns',
    says: [/no pod of namespace kube-system matches k8s-app=nodelocaldns/],
  },
  verdict: { pod: CLIENT, is: 'BYPASSED' },
};
