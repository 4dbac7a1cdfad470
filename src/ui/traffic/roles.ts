/**
 * Who is who, from flows alone: the cache is whom the datapath redirects to, a pod with the label that node caches have, or
 * what listens where caches of hosts do; the cluster's DNS is what stands behind the service `kube-dns`. Learned addresses
 * are bounded.
 */
import { type Endpoint, EVENT_TYPES, endpointPod, type Flow, type ServiceRef } from '../../flow/api.ts';

export type Role = 'cache' | 'cluster-dns' | 'other';

const CACHE_LABELS: readonly string[] = ['k8s:k8s-app=node-local-dns', 'k8s:k8s-app=nodelocaldns'];
/**
 * Where caches on the host's own network listen: stock node-cache and kubespray, AKS's local DNS. Whatever answers there is
 * on the node that asks: link-local addresses lead no further.
 */
const HOST_CACHES: readonly string[] = ['169.254.20.10', '169.254.25.10', '169.254.10.10', '169.254.10.11'];
const CLUSTER_DNS_LABEL = 'k8s:k8s-app=kube-dns';
const CLUSTER_DNS_SERVICES: readonly string[] = [
  'kube-dns',
  'coredns',
  'kube-dns-upstream',
  'rke2-coredns-rke2-coredns',
  'dns-default',
];
const MAX_CACHES = 4096;

export class Roles {
  readonly #caches = new Set<string>();

  /** Takes note of a redirect, whose destination is then known as a cache. */
  learn(flow: Flow): void {
    if (flow.verdict !== 'TRANSLATED' || flow.is_reply === true || flow.event_type.type === EVENT_TYPES.l7)
      return;
    if (flow.sock_xlate_point !== 'SOCK_XLATE_POINT_POST_DIRECTION_FWD') return;
    if (roleByLabel(flow.destination) === 'cluster-dns' || this.#caches.size >= MAX_CACHES) return;
    this.#caches.add(endpointPod(flow.destination) ?? flow.IP.destination);
  }

  of(endpoint: Endpoint, address: string, service?: ServiceRef): Role {
    const byLabel = roleByLabel(endpoint);
    if (byLabel !== 'other') return byLabel;
    if (HOST_CACHES.includes(address)) return 'cache';
    if (this.#caches.has(endpointPod(endpoint) ?? address)) return 'cache';
    return service !== undefined && CLUSTER_DNS_SERVICES.includes(service.name) ? 'cluster-dns' : 'other';
  }
}

function roleByLabel({ labels = [], workloads = [], pod_name: name = '' }: Endpoint): Role {
  if (labels.some((label) => CACHE_LABELS.includes(label))) return 'cache';
  if (labels.includes(CLUSTER_DNS_LABEL)) return 'cluster-dns';
  const workload = workloads[0]?.name;
  if (workload === 'node-local-dns' || name.startsWith('node-local-dns-')) return 'cache';
  return workload === 'coredns' || name.startsWith('coredns-') ? 'cluster-dns' : 'other';
}
