/**
 * More queries in a second than AWS's resolver takes from one interface, sent to its address from a pod that does without the
 * cache. The lab's resolver answers at that address, too; it has no limit, and what is dropped beyond one is not shown.
 */
import { WORKER_NODE } from '../../../../src/lab/topology.ts';
import { type Fault, WORKER } from '../rig/fault.ts';
import { sendBurst } from '../rig/traffic.ts';

const ADDRESS = '169.254.169.253';
/** Whichever way a second cuts it, one half is beyond the limit of 1,024. */
const COUNT = 2_200;

export const d23: Fault = {
  id: 'D23',
  name: "more queries than AWS's resolver takes",
  async build(lab, keep) {
    keep(lab.flowsToForget(WORKER_NODE));
    keep(() => lab.forgetConnections(WORKER));
    lab.inNode(
      'internet',
      'nft',
      `add table ip aws; add chain ip aws pre { type nat hook prerouting priority -100; }; add rule ip aws pre ip daddr ${ADDRESS} dnat to 10.0.2.3`,
    );
    keep(() => void lab.inNode('internet', 'nft', 'delete', 'table', 'ip', 'aws'));
    await sendBurst(lab, { server: ADDRESS, name: 'example.com', count: COUNT });
  },
  finds: {
    severity: 'broken',
    node: WORKER,
    says: [/\d+ queries in the busiest second went to 169\.254\.169\.253, whose limit is 1024/],
  },
};
