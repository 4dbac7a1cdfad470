/** Two programs of the node that both have port 53 of one address. */

import type { DoctorLab } from '../rig/doctor-lab.ts';
import { type Fault, WORKER } from '../rig/fault.ts';

function listen(lab: DoctorLab, name: string) {
  const options = JSON.stringify({ host: '127.0.0.53', port: 53, reusePort: true });
  const script = `process.title = '${name}'; require('net').createServer().listen(${options}, () => console.log('ready'))`;
  return lab.startInNode(WORKER, process.execPath, '-e', script);
}

export const d22: Fault = {
  id: 'D22',
  name: 'two programs on port 53 of one address',
  async build(lab, keep) {
    keep(await listen(lab, 'dnsmasq'));
    keep(await listen(lab, 'systemd-resolve'));
  },
  finds: {
    severity: 'warning',
    node: WORKER,
    says: [/127\.0\.0\.53:53 is bound by dnsmasq/, /127\.0\.0\.53:53 is bound by systemd-resolve/],
  },
};
