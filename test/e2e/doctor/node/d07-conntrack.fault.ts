/**
 * A server of the cluster's DNS that goes while clients' connections are tracked to it. kube-proxy's rules sent them there,
 * so there is no policy meanwhile. The server is a pod that stays silent: its clients wait.
 */
import { type Fault, WORKER } from '../rig/fault.ts';
import { idlePod } from '../rig/pods.ts';

/** One in three of these goes to the silent server; that none does has a chance of one in ten million. */
const PORTS = 40;
const TIMEOUT = 'net.netfilter.nf_conntrack_udp_timeout';

export const d07: Fault = {
  id: 'D07',
  name: 'connections that stay tracked to a server that is gone',
  async build(lab, keep) {
    keep(await lab.withoutPolicy());
    keep(() => lab.forgetConnections(WORKER));
    // On a busy machine the doctor comes later than an entry lives; retries of a real client would keep it alive.
    lab.inNode(WORKER, 'sysctl', '-qw', `${TIMEOUT}=300`);
    keep(() => void lab.inNode(WORKER, 'sysctl', '-qw', `${TIMEOUT}=30`));
    const server = await lab.objects.apply(idlePod('coredns-silent', { 'k8s-app': 'kube-dns' }));
    let isThere = true;
    const stop = async () => {
      if (isThere) await server();
      isThere = false;
    };
    keep(stop);
    await lab.untilProxied(WORKER, 3);
    const send = `for p in $(seq ${PORTS}); do echo x > /dev/udp/10.96.0.10/53; done`;
    await lab.inPod('netshoot', 'bash', '-c', send);
    await stop();
  },
  finds: {
    severity: 'broken',
    node: WORKER,
    says: [
      /which is no endpoint; [1-9]\d* of them wait for an answer/,
      /asked 10\.96\.0\.10, tracked to 172\.20\.1\.\d+/,
    ],
  },
};
