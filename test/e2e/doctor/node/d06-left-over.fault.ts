/** A node cache on the host that was told to leave its interface and rules when it ends, and ended. */
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

export const d06: Fault = {
  id: 'D06',
  name: 'an interface and rules that a cache left behind',
  async build(lab) {
    const leave = await lab.objects.apply(hostCache([...ARGS, '-skipteardown=true']));
    const { status, text } = await lab.inPod('netshoot', 'dig', '@169.254.20.10', '+short', 'google.com');
    if (status !== 0 || !text.includes('142.250.196.110')) throw new Error(`It has never served: ${text}`);
    await leave();
    return async () => {
      // The next one finds what was left, takes it for its own, and cleans up when it ends.
      const end = await lab.objects.apply(hostCache(ARGS));
      await end();
    };
  },
  finds: {
    severity: 'broken',
    node: WORKER,
    says: ['interface nodelocaldns has 169.254.20.10', 'no socket is bound to 169.254.20.10 port 53'],
  },
};
