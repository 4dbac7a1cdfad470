/** Upstream's manifest applied as it was downloaded: the cache ends at once, with "invalid localip specified". */

import { podLog } from '../../../../src/lab/exec.ts';
import type { Fault } from '../rig/fault.ts';
import { cachePod } from '../rig/pods.ts';

const POD = 'node-local-dns-unfilled';

export const d10: Fault = {
  id: 'D10',
  name: 'placeholders that nobody filled in',
  async build(lab, keep) {
    const args = ['-localip', '__PILLAR__LOCAL__DNS__,__PILLAR__DNS__SERVER__', '-conf', '/etc/Corefile'];
    keep(await lab.objects.apply(cachePod({ name: POD, owner: 'unfilled', args }), 'crash'));
    const log = podLog(POD);
    if (!log.includes('__PILLAR__LOCAL__DNS__')) throw new Error(`It did not end for that: ${log}`);
  },
  finds: {
    severity: 'broken',
    object: 'DaemonSet kube-system/unfilled',
    says: ['__PILLAR__LOCAL__DNS__, __PILLAR__DNS__SERVER__ stands in the arguments'],
  },
};
