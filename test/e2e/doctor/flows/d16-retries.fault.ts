/**
 * Answers that never come: the cache's pod drops what this client sends by UDP, so that the C library asks again from the same
 * port. To everybody else, and to the agent that looks after it, the cache is healthy.
 */
import { WORKER_NODE } from '../../../../src/lab/topology.ts';
import { CLIENT, type Fault, WORKER } from '../rig/fault.ts';

const CACHE = 'node-local-dns-dwrcm';

export const d16: Fault = {
  id: 'D16',
  name: 'queries that are sent again',
  async build(lab, keep) {
    keep(lab.flowsToForget(WORKER_NODE));
    const { address } = await lab.pod('netshoot');
    keep(async () => {
      await lab.inPod(CACHE, 'nft', 'delete', 'table', 'ip', 'deaf');
    });
    const rule = `add rule ip deaf in ip saddr ${address} udp dport 53 drop`;
    await lab.inPod(
      CACHE,
      'nft',
      `add table ip deaf; add chain ip deaf in { type filter hook input priority 0; }; ${rule}`,
    );
    const look =
      'RES_OPTIONS="timeout:1 attempts:3 ndots:1" getent ahosts kubernetes.default.svc.cluster.local';
    await lab.inPod(CLIENT, 'sh', '-c', `for i in 1 2 3 4; do ${look} & done; wait`);
  },
  finds: {
    severity: 'broken',
    node: WORKER,
    pod: CLIENT,
    says: [/\d+ retries in /, /default\/netshoot: \d+/],
  },
  verdict: { pod: CLIENT, is: 'BROKEN' },
};
