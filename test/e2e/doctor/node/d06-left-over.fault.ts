/** A node cache on the host that was told to leave its interface and rules when it ends, and ended. */
import { type DoctorLab, eventually } from '../rig/doctor-lab.ts';
import { type Fault, WORKER } from '../rig/fault.ts';
import { cachePod, hostCacheConfig } from '../rig/pods.ts';

const ARGS = ['-localip', '169.254.20.10', '-conf', '/etc/Corefile', '-upstreamsvc', 'kube-dns-upstream'];

function hostCache(args: readonly string[]): string {
  return `${hostCacheConfig('host-dns', '169.254.20.10')}---${cachePod({
    name: 'host-dns-c8d5r',
    owner: 'host-dns',
    hostNetwork: true,
    configMap: 'host-dns',
    args,
  })}`;
}

function serves(lab: DoctorLab): Promise<void> {
  return eventually('the cache on the host serves', async () => {
    const words = ['dig', '+time=1', '+tries=1', '@169.254.20.10', '+short', 'google.com'];
    return (await lab.inPod('netshoot', ...words)).text.includes('142.250.196.110');
  });
}

export const d06: Fault = {
  id: 'D06',
  name: 'an interface and rules that a cache left behind',
  async build(lab, keep) {
    keep(async () => {
      // The next one finds what was left, takes it for its own, and cleans up when it ends.
      const end = await lab.objects.apply(hostCache(ARGS));
      await serves(lab);
      await end();
    });
    const leave = await lab.objects.apply(hostCache([...ARGS, '-skipteardown=true']));
    await serves(lab);
    await leave();
  },
  finds: {
    severity: 'broken',
    node: WORKER,
    says: ['interface nodelocaldns has 169.254.20.10', 'no socket is bound to 169.254.20.10 port 53'],
  },
};
