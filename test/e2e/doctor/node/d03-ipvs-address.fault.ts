/**
 * kube-proxy in mode IPVS has every cluster IP on its interface kube-ipvs0, and takes packets to them ahead of any socket: a
 * cache that binds one gets none. This kernel has no IPVS: a bridge of that name stands for its interface.
 */
import { type Fault, WORKER } from '../rig/fault.ts';
import { cachePod, hostCacheConfig } from '../rig/pods.ts';

export const d03: Fault = {
  id: 'D03',
  name: 'a cluster IP of a cache on an interface that IPVS serves (a bridge stands for kube-ipvs0)',
  async build(lab, keep) {
    lab.inNode(WORKER, 'ip', 'link', 'add', 'kube-ipvs0', 'type', 'bridge');
    lab.inNode(WORKER, 'ip', 'addr', 'add', '10.96.0.10/32', 'dev', 'kube-ipvs0');
    keep(() => void lab.inNode(WORKER, 'ip', 'link', 'del', 'kube-ipvs0'));
    keep(
      await lab.objects.apply(
        `${hostCacheConfig('ipvs-dns', '169.254.20.10 10.96.0.10')}---${cachePod({
          name: 'ipvs-dns-q7w4m',
          owner: 'ipvs-dns',
          hostNetwork: true,
          configMap: 'ipvs-dns',
          args: [
            '-localip',
            '169.254.20.10,10.96.0.10',
            '-conf',
            '/etc/Corefile',
            '-upstreamsvc',
            'kube-dns-upstream',
          ],
        })}`,
      ),
    );
  },
  finds: {
    severity: 'bypassed',
    node: WORKER,
    says: ['10.96.0.10 is an address of kube-ipvs0', '10.96.0.10 is an address of nodelocaldns, too'],
  },
};
