/** A cache that keeps denials for five minutes, and a service that was asked for before it was there. */
import { CLIENT, type Fault } from '../rig/fault.ts';
import { restartPod, withCorefile } from './with-corefile.ts';

const NAME = 'late.default.svc.cluster.local';

export const d18: Fault = {
  id: 'D18',
  name: 'a service that stays denied after it was made',
  async build(lab, keep) {
    keep(
      await withCorefile(lab, 'node-local-dns', (text) => text.replace('denial 9984 5', 'denial 9984 300')),
    );
    await restartPod(lab, 'node-local-dns-dwrcm');
    const denied = await lab.inPod(CLIENT, 'dig', NAME);
    if (!denied.text.includes('NXDOMAIN')) throw new Error(`It was not denied: ${denied.text}`);
    keep(
      await lab.objects.apply(`
apiVersion: v1
kind: Service
metadata: { name: late, namespace: default }
spec: { selector: { app: late }, ports: [{ port: 80 }] }
`),
    );
  },
  finds: {
    severity: 'warning',
    object: 'DaemonSet kube-system/node-local-dns',
    says: ['denials are kept for up to 300 s', /service default\/late is \d+ s old/],
  },
};
