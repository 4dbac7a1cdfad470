/**
 * `localRedirectPolicies.enabled`, which is its name since 1.18, given to Cilium 1.17.6: Helm takes it without a word, and
 * cilium-config does not have the switch. Where a zerohop agent redirects nobody needs Cilium's, so the agents are told of no
 * policy: it is what Cilium would be asked for.
 */
import { CLIENT, type Fault } from '../rig/fault.ts';

export const d30: Fault = {
  id: 'D30',
  name: 'the value that changed its name between Cilium 1.17 and 1.18',
  async build(lab, keep) {
    keep(await lab.withoutPolicy());
    keep(
      await lab.objects.apply(`
apiVersion: v1
kind: ConfigMap
metadata: { name: cilium-config, namespace: kube-system }
data: { kube-proxy-replacement: "true" }
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
      containers: [{ name: cilium-agent, image: "quay.io/cilium/cilium:v1.17.6" }]
`),
    );
  },
  finds: {
    severity: 'bypassed',
    says: [
      'ConfigMap kube-system/cilium-config has no enable-local-redirect-policy',
      'localRedirectPolicy up to 1.17 and localRedirectPolicies.enabled since 1.18',
    ],
  },
  verdict: { pod: CLIENT, is: 'BYPASSED' },
};
