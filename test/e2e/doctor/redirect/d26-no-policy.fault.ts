/** The first field report: the node cache runs, all is green, names resolve, and no query enters it. */
import { CLIENT, type Fault } from '../rig/fault.ts';

export const d26: Fault = {
  id: 'D26',
  name: 'a node cache that no policy sends queries to',
  args: [],
  build: async (lab, keep) => keep(await lab.withoutPolicy()),
  finds: {
    severity: 'bypassed',
    object: 'DaemonSet kube-system/node-local-dns',
    says: [/none selects its pods for service kube-system\/kube-dns/],
  },
  verdict: { pod: CLIENT, is: 'BYPASSED' },
};
