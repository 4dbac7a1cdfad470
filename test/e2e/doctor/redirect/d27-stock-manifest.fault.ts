/**
 * The second field report: upstream's nodelocaldns.yaml where kube-proxy is replaced. The cache sits on the node's network
 * and takes the cluster IP onto an interface there; a policy redirects to its pod, which is the node's own address, and there
 * nobody listens: `communications error to 10.96.0.10#53: connection refused`.
 *
 * The lab has no Cilium. Its ConfigMap stands there, and rules in the client's own network do what Cilium's programs do with
 * such a policy at the client's socket: they give it the address of the selected pod before there is a packet.
 */
import { CLIENT, type Fault } from '../rig/fault.ts';
import { cachePod, hostCacheConfig } from '../rig/pods.ts';

const CILIUM = `
apiVersion: v1
kind: ConfigMap
metadata: { name: cilium-config, namespace: kube-system }
data: { kube-proxy-replacement: "true", enable-local-redirect-policy: "true" }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: cilium, namespace: kube-system }
spec:
  selector: { matchLabels: { k8s-app: cilium } }
  template:
    metadata: { labels: { k8s-app: cilium } }
    spec:
      hostNetwork: true
      containers: [{ name: cilium-agent, image: "quay.io/cilium/cilium:v1.18.1" }]
`;

const REDIRECT_TO_THE_NODE = `
table ip stand-in-for-cilium {
  chain output {
    type nat hook output priority -100;
    ip daddr 10.96.0.10 udp dport 53 dnat to 192.168.10.101:53
    ip daddr 10.96.0.10 tcp dport 53 dnat to 192.168.10.101:53
  }
}
`;

export const d27: Fault = {
  id: 'D27',
  name: "upstream's nodelocaldns.yaml where kube-proxy is replaced: connection refused",
  async build(lab, keep) {
    keep(await lab.withoutPolicy());
    keep(await lab.objects.apply(CILIUM));
    keep(
      await lab.objects.apply(
        `${hostCacheConfig('stock-node-local-dns', '169.254.20.10 10.96.0.10')}---${cachePod({
          name: 'stock-node-local-dns-x7k2p',
          owner: 'stock-node-local-dns',
          label: 'node-local-dns',
          hostNetwork: true,
          configMap: 'stock-node-local-dns',
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
    keep(async () => {
      await lab.inPod('netshoot', 'nft', 'delete', 'table', 'ip', 'stand-in-for-cilium');
    });
    await lab.inPod('netshoot', 'sh', '-c', `nft -f - <<'END'${REDIRECT_TO_THE_NODE}END`);
    const { text } = await lab.inPod('netshoot', 'dig', '+tries=1', 'google.com');
    if (!text.includes('communications error to 10.96.0.10#53: connection refused'))
      throw new Error(`The fault is not there: ${text}`);
  },
  finds: {
    severity: 'broken',
    object: 'DaemonSet kube-system/stock-node-local-dns',
    says: ['ConfigMap kube-system/cilium-config has kube-proxy-replacement: "true"', 'connection refused'],
  },
  verdict: { pod: CLIENT, is: 'BROKEN', because: 'D27' },
};
