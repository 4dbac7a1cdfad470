/** `-skipteardown=true -setupinterface=false -setupiptables=false` forgotten, as the field report's "before" has it. */
import { eventually } from '../rig/doctor-lab.ts';
import type { Fault } from '../rig/fault.ts';
import { cachePod } from '../rig/pods.ts';

export const d28: Fault = {
  id: 'D28',
  name: 'a cache behind a policy that was not told to leave interface and rules alone',
  async build(lab, keep) {
    const pod = 'node-local-dns-9b4fz';
    keep(
      await lab.objects.apply(
        cachePod({
          name: pod,
          owner: 'unswitched',
          label: 'node-local-dns',
          args: [
            '-localip',
            '169.254.20.10,10.96.0.10',
            '-conf',
            '/etc/Corefile',
            '-upstreamsvc',
            'kube-dns-upstream',
          ],
        }),
      ),
    );
    await eventually('it has made an interface in its own pod', async () =>
      (await lab.inPod(pod, 'ip', '-o', 'addr')).text.includes('10.96.0.10'),
    );
  },
  finds: {
    severity: 'warning',
    object: 'DaemonSet kube-system/unswitched',
    says: ['lacks -skipteardown=true -setupinterface=false -setupiptables=false'],
  },
};
