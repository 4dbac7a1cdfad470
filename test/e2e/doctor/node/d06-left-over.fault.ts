/** A node cache on the host that was told to leave its interface and rules when it ends, and ended. */
import { podLog } from '../../../../src/lab/exec.ts';
import { type DoctorLab, eventually } from '../rig/doctor-lab.ts';
import { type Fault, WORKER } from '../rig/fault.ts';
import { cachePod, hostCacheConfig } from '../rig/pods.ts';

const POD = 'host-dns-c8d5r';
/** For one address: queries, answers and health by both protocols. */
const RULES = 12;
const ARGS = ['-localip', '169.254.20.10', '-conf', '/etc/Corefile', '-upstreamsvc', 'kube-dns-upstream'];

function hostCache(args: readonly string[]): string {
  return `${hostCacheConfig('host-dns', '169.254.20.10')}---${cachePod({
    name: POD,
    owner: 'host-dns',
    hostNetwork: true,
    configMap: 'host-dns',
    args,
  })}`;
}

/** It answers before it has written its rules. */
function settled(lab: DoctorLab): Promise<void> {
  return eventually('the cache on the host has its rules', () => {
    const rules = lab.inNode(WORKER, 'iptables-nft-save');
    return rules.split('\n').filter((line) => line.includes('169.254.20.10')).length === RULES;
  });
}

export const d06: Fault = {
  id: 'D06',
  name: 'an interface and rules that a cache left behind',
  async build(lab, keep) {
    keep(async () => {
      // The next one finds what was left, takes it for its own, and cleans up when it ends.
      const end = await lab.objects.apply(hostCache(ARGS));
      try {
        await eventually('it has found what was left', () => podLog(POD).includes(`Removed ${RULES} rules`));
        await settled(lab);
      } finally {
        await end();
      }
    });
    const leave = await lab.objects.apply(hostCache([...ARGS, '-skipteardown=true']));
    await settled(lab);
    await leave();
  },
  finds: {
    severity: 'broken',
    node: WORKER,
    says: ['interface nodelocaldns has 169.254.20.10', 'no socket is bound to 169.254.20.10 port 53'],
  },
};
