/** An object that cannot mean anything: it is left out of what is judged, and that is said. */
import type { Fault } from '../rig/fault.ts';

export const d33: Fault = {
  id: 'D33',
  name: 'a service of a type that there is not',
  args: [],
  build: async (lab, keep) =>
    keep(
      await lab.objects.apply(`
apiVersion: v1
kind: Service
metadata: { name: odd, namespace: default }
spec: { type: Sideways, ports: [{ port: 53 }] }
`),
    ),
  finds: { severity: 'warning', object: 'Service default/odd', says: ['spec.type is not known'] },
};
