/** A client as old musl is: without EDNS, and without a second question by TCP where an answer did not fit. */
import { WORKER_NODE } from '../../../../src/lab/topology.ts';
import { CLIENT, type Fault, WORKER } from '../rig/fault.ts';

export const d14: Fault = {
  id: 'D14',
  name: 'truncated answers whose client does not ask by TCP',
  async build(lab, keep) {
    keep(lab.flowsToForget(WORKER_NODE));
    const { text } = await lab.inPod(CLIENT, 'dig', '+noedns', '+ignore', 'large.example.com');
    if (!/flags:[^;]* tc[ ;]/.test(text)) throw new Error(`The answer fits: ${text}`);
  },
  finds: {
    severity: 'broken',
    node: WORKER,
    pod: CLIENT,
    says: [
      /1 of them were not asked for again by TCP: pods default\/netshoot/,
      /answered queries without EDNS/,
    ],
  },
};
