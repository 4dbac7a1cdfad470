/**
 * What a kubelet puts into a pod before it starts: resolv.conf by dnsPolicy, the mounted ConfigMaps, the service
 * account, and the environment that tells where the services are.
 */
import type { ServiceRow } from '../../cluster/rows.ts';
import { CLUSTER_DOMAIN, DNS_SERVICE_ADDRESS, INTERNET } from '../topology.ts';
import type { PodManifest } from './pod-spec.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface PodSurroundings {
  readonly configMap: (name: string) => Readonly<Record<string, string>>;
  /** Services of the pod's namespace, and `kubernetes` of the namespace default. */
  readonly services: readonly ServiceRow[];
  readonly ca: string;
  readonly token: string;
}

export function podFiles(pod: PodManifest, around: PodSurroundings): Map<string, string> {
  const files = new Map([
    ['/etc/resolv.conf', resolvConf(pod)],
    ['/etc/hostname', `${pod.metadata.name}\n`],
    [`${SERVICE_ACCOUNT}/ca.crt`, around.ca],
    [`${SERVICE_ACCOUNT}/token`, around.token],
    [`${SERVICE_ACCOUNT}/namespace`, pod.metadata.namespace],
  ]);
  const mounts = pod.spec.containers.flatMap((container) => container.volumeMounts ?? []);
  for (const volume of pod.spec.volumes ?? []) {
    const mount = mounts.find(({ name }) => name === volume.name);
    if (volume.configMap === undefined || mount === undefined) continue;
    const data = around.configMap(volume.configMap.name);
    const items = volume.configMap.items ?? Object.keys(data).map((key) => ({ key, path: key }));
    for (const { key, path } of items) files.set(`${mount.mountPath}/${path}`, data[key] ?? '');
  }
  return files;
}

/**
 * `Default` is the node's own resolver, and `ClusterFirst` the same on the host's network; else it is what the field reports
 * show in their pods.
 */
function resolvConf(pod: PodManifest): string {
  const { dnsPolicy, hostNetwork = false } = pod.spec;
  if (dnsPolicy === 'Default' || (hostNetwork && dnsPolicy !== 'ClusterFirstWithHostNet'))
    return `nameserver ${INTERNET.resolver}\n`;
  const search = [`${pod.metadata.namespace}.svc.${CLUSTER_DOMAIN}`, `svc.${CLUSTER_DOMAIN}`, CLUSTER_DOMAIN];
  return `search ${search.join(' ')}\nnameserver ${DNS_SERVICE_ADDRESS}\noptions ndots:5\n`;
}

/** `KUBE_DNS_UPSTREAM_SERVICE_HOST` and its like: services of the pod's own namespace, and the API server. */
export function podEnvironment(pod: PodManifest, services: readonly ServiceRow[]): Record<string, string> {
  const visible = services.filter(
    (service) =>
      service.namespace === pod.metadata.namespace ||
      (service.namespace === 'default' && service.name === 'kubernetes'),
  );
  const entries = visible.flatMap((service) => {
    const [address] = service.clusterIPs;
    const [port] = service.ports;
    if (address === undefined || port === undefined) return [];
    const prefix = service.name.toUpperCase().replaceAll('-', '_');
    return [
      [`${prefix}_SERVICE_HOST`, address],
      [`${prefix}_SERVICE_PORT`, String(port.port)],
    ];
  });
  return { ...Object.fromEntries(entries), HOSTNAME: pod.metadata.name };
}
