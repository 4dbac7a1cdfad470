/** A ConfigMap's Corefile, changed: servers that start from now on read it. */

import { recordOf } from '../../../../src/kube/json-fields.ts';
import { killPod } from '../../../../src/lab/exec.ts';
import type { Mend } from '../rig/cluster-objects.ts';
import type { DoctorLab } from '../rig/doctor-lab.ts';

export function withCorefile(lab: DoctorLab, name: string, change: (text: string) => string): Promise<Mend> {
  return lab.objects.change(`/api/v1/namespaces/kube-system/configmaps/${name}`, (map) => {
    const before = String(recordOf(map.data).Corefile);
    const after = change(before);
    if (after === before) throw new Error(`Nothing of ConfigMap ${name} was changed`);
    return { ...map, data: { Corefile: after } };
  });
}

/** The server starts again with the files that its ConfigMap has now, and serves. */
export async function restartPod(lab: DoctorLab, pod: string): Promise<void> {
  const before = (await lab.pod(pod)).restarts;
  killPod(pod);
  await lab.untilPod(pod, ({ ready, restarts }) => ready && restarts > before);
  await lab.untilListens(pod);
}
