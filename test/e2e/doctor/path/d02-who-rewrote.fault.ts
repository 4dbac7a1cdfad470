/** Who sent the packets elsewhere: kube-proxy's rules, where no policy is ahead of them, and the redirect's own fall back. */
import { podPid } from '../../../../src/lab/exec.ts';
import { CLIENT, type Fault, WORKER } from '../rig/fault.ts';

const CACHE = 'node-local-dns-dwrcm';

export const d02: Fault = {
  id: 'D02',
  name: "kube-proxy's rules as who rewrote the destination",
  args: [],
  build: async (lab, keep) => keep(await lab.withoutPolicy()),
  finds: { severity: 'bypassed', node: WORKER, says: [/probes to 10\.96\.0\.10 ended at /, /dnat/i] },
  verdict: { pod: CLIENT, is: 'BYPASSED' },
};

export const d02FellBack: Fault = {
  id: 'D02',
  name: 'a redirect that fell back because its cache hangs',
  args: [],
  async build(_, keep) {
    const pid = podPid(CACHE);
    process.kill(pid, 'SIGSTOP');
    keep(() => void process.kill(pid, 'SIGCONT'));
  },
  finds: {
    severity: 'bypassed',
    node: WORKER,
    says: [
      /probes fell back: /,
      'zerohop falls back to the cluster DNS while no cache on the node can take a query',
    ],
  },
  verdict: { pod: CLIENT, is: 'BYPASSED' },
};
