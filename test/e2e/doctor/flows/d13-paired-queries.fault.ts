/**
 * A and AAAA from one port at once, as glibc asks, through kube-proxy's translation: no policy keeps them from it. That one of
 * a pair is lost to the other is a race of two processors, which nobody can build; that it can happen is what is found.
 */
import { WORKER_NODE } from '../../../../src/lab/topology.ts';
import { type Fault, WORKER } from '../rig/fault.ts';
import { lookUp } from '../rig/traffic.ts';

export const d13: Fault = {
  id: 'D13',
  name: 'pairs of A and AAAA that connection tracking translates',
  async build(lab, keep) {
    keep(lab.flowsToForget(WORKER_NODE));
    keep(() => lab.forgetConnections(WORKER));
    keep(await lab.withoutPolicy());
    await lookUp(lab, 12);
  },
  finds: { severity: 'info', node: WORKER, says: [/\d+ pairs left pods for the address of a service/] },
};
