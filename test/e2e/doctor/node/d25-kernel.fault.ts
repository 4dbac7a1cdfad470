/**
 * A program of somebody else on a pod's interface behind ours, with an agent that was told to stay in front: the pod is left
 * alone. What a kernel lacks cannot be built on one that has it; those cases are in the check's own test, with what such
 * kernels say of themselves.
 */

import { hangByTcx, NEXT } from '../../../../src/datapath/testing/other-owner.ts';
import { podInterface } from '../../../../src/lab/network.ts';
import { namespacePath, nodeNamespace, WORKER_NODE } from '../../../../src/lab/topology.ts';
import { findInterface } from '../../../../src/sys/interface.ts';
import { insideNamespace, listNamespaces } from '../../../../src/sys/netns/namespaces.ts';
import { type Fault, WORKER } from '../rig/fault.ts';

export const d25: Fault = {
  id: 'D25',
  name: "somebody else's program behind ours",
  async build(lab, keep) {
    keep(() => lab.restartAgent(WORKER_NODE));
    await lab.restartAgent(WORKER_NODE, '--hook-order', 'first');
    const path = namespacePath(nodeNamespace({ name: WORKER }));
    const node = listNamespaces().find((namespace) => namespace.path === path);
    if (node === undefined) throw new Error(`There is no ${path}`);
    const owner = insideNamespace(node, () => {
      const ifindex = findInterface(podInterface('netshoot'))?.ifindex ?? 0;
      return hangByTcx(ifindex, { name: 'cil_from_pod', verdict: NEXT, place: 'last' });
    });
    keep(() => owner?.close());
  },
  finds: { severity: 'info', node: WORKER, says: [/ingress: cil_from_pod \(tcx\) runs after zerohop/] },
};
