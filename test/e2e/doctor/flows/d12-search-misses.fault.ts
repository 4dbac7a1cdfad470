/** A name of the outside looked up with ndots:5: three ends of the search list first, each twice. */
import { WORKER_NODE } from '../../../../src/lab/topology.ts';
import { CLIENT, type Fault, WORKER } from '../rig/fault.ts';
import { lookUp } from '../rig/traffic.ts';

export const d12: Fault = {
  id: 'D12',
  name: 'names of the outside that are tried with every end of the search list',
  async build(lab, keep) {
    keep(lab.flowsToForget(WORKER_NODE));
    await lookUp(lab, 15);
  },
  finds: {
    severity: 'info',
    node: WORKER,
    says: [new RegExp(`${CLIENT}: \\d+ of its \\d+ queries`), /with the ends .*default\.svc\.cluster\.local/],
  },
};
