/** A second node cache on a node that has one: the policy's cache gets the queries, the other is kept alive in vain. */
import type { Fault } from '../rig/fault.ts';
import { cachePod } from '../rig/pods.ts';

export const d24: Fault = {
  id: 'D24',
  name: 'a second cache on a node that has one',
  build: async (lab, keep) =>
    keep(
      await lab.objects.apply(
        cachePod({
          name: 'second-dns-h5t9b',
          owner: 'second-dns',
          args: [
            ...['-localip', '169.254.20.10', '-conf', '/etc/Corefile', '-upstreamsvc', 'kube-dns-upstream'],
            ...['-skipteardown=true', '-setupinterface=false', '-setupiptables=false'],
          ],
        }),
      ),
    ),
  finds: {
    severity: 'warning',
    object: 'DaemonSet kube-system/node-local-dns',
    says: ['DaemonSet kube-system/second-dns runs zerohop', 'both are on k8s-w1'],
  },
};
