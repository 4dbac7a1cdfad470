/** Without a policy the probes arrive, and not at the cache of the node: the first field report, by packets alone. */
import { CLIENT, type Fault, WORKER } from '../rig/fault.ts';

export const d01: Fault = {
  id: 'D01',
  name: 'probes that do not arrive at the cache of their node',
  args: [],
  build: async (lab, keep) => keep(await lab.withoutPolicy()),
  finds: {
    severity: 'bypassed',
    node: WORKER,
    says: [
      /\d of \d probes were answered elsewhere, 0 arrived at a cache of node k8s-w1/,
      /default\/netshoot asked 10\.96\.0\.10:53 by UDP, and was answered by kube-system\/coredns-/,
      /it would have been .*node-local-dns/,
    ],
  },
  verdict: { pod: CLIENT, is: 'BYPASSED' },
};
