/** The original node-cache cannot run here: a process with its name and flags that does nothing stands for it. */
import type { Mend } from '../rig/cluster-objects.ts';
import type { DoctorLab } from '../rig/doctor-lab.ts';
import { WORKER } from '../rig/fault.ts';

const IDLE = 'console.log("ready");setInterval(() => 0, 1 << 30)';

export function startStockCache(lab: DoctorLab, ...flags: readonly string[]): Promise<Mend> {
  const command = `exec -a node-cache "${process.execPath}" -e '${IDLE}' -- "$@"`;
  return lab.startInNode(WORKER, 'bash', '-c', command, 'bash', ...flags);
}
