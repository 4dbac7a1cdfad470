/**
 * A server that answers at once, behind a wire that does not: queries of the worker's pods go to the other node's server, and
 * the worker's interface has a queue that empties slowly. The server's own histogram knows nothing of it.
 */
import { NODES } from '../../../../src/lab/topology.ts';
import { type Fault, WORKER } from '../rig/fault.ts';
import { sendBurst } from '../rig/traffic.ts';

export const d15: Fault = {
  id: 'D15',
  name: 'a wait that no server knows of',
  args: [],
  async build(lab, keep) {
    for (const node of NODES) keep(lab.flowsToForget(node));
    for (const { name } of NODES) keep(() => lab.forgetConnections(name));
    keep(await lab.withoutPolicy());
    // Servers on the worker answer without a wire.
    keep(await lab.objects.remove('/api/v1/namespaces/kube-system/pods/coredns-674b8bbfcf-vm5mq'));
    await lab.untilProxied(WORKER, 1);
    lab.inNode(WORKER, ...'tc qdisc add dev eth0 root tbf rate 64kbit burst 2kb latency 5s'.split(' '));
    const mend = () => void lab.inNode(WORKER, 'tc', 'qdisc', 'del', 'dev', 'eth0', 'root');
    try {
      await sendBurst(lab, { server: '10.96.0.10', name: 'kubernetes.default.svc.cluster.local', count: 80 });
    } finally {
      // What was felt stays felt; the doctor's own packets need not wait.
      mend();
    }
  },
  finds: {
    severity: 'warning',
    node: WORKER,
    says: [/at the clients: /, 'the time goes between the pod and the server'],
  },
};
