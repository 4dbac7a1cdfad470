/** A pod on the host's network that says nothing of dnsPolicy: no name of the cluster resolves in it. */
import type { Fault } from '../rig/fault.ts';
import { idlePod } from '../rig/pods.ts';

export const d21: Fault = {
  id: 'D21',
  name: "a pod on the host's network with dnsPolicy ClusterFirst",
  async build(lab, keep) {
    keep(await lab.objects.apply(idlePod('host-agent', { app: 'host-agent' }, '  hostNetwork: true')));
    const { text } = await lab.inPod('host-agent', 'dig', 'kubernetes.default.svc.cluster.local');
    if (!text.includes('NXDOMAIN')) throw new Error(`It resolves: ${text}`);
  },
  finds: {
    severity: 'warning',
    object: 'Pod default/host-agent',
    says: ['has hostNetwork: true and dnsPolicy: ClusterFirst'],
  },
};
