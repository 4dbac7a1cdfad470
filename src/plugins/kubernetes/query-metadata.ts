/** Facts about a query for `log`, `rewrite` and the like, under `kubernetes/…` (dns-server 3.4). */
import type { PodRow } from '../../cluster/rows.ts';
import type { ClusterName } from './lookup/cluster-name.ts';

type Metadata = Map<string, string>;

export function describeName(metadata: Metadata, name: ClusterName): void {
  if (name.kind === 'invalid') metadata.set('kubernetes/parse-error', 'invalid query name');
  if (name.kind !== 'object' && name.kind !== 'namespace' && name.kind !== 'branch') return;
  metadata.set('kubernetes/kind', name.branch);
  if (name.kind === 'branch') return;
  metadata.set('kubernetes/namespace', name.namespace);
  if (name.kind === 'namespace') return;
  metadata.set('kubernetes/service', name.name);
  if (name.endpoint !== undefined) metadata.set('kubernetes/endpoint', name.endpoint);
  if (name.port !== undefined) metadata.set('kubernetes/port-name', name.port);
  if (name.protocol !== undefined) metadata.set('kubernetes/protocol', name.protocol);
}

/** Only with `pods verified`: otherwise nobody watches pods. */
export function describeClient(metadata: Metadata, pod: PodRow): void {
  metadata.set('kubernetes/client-namespace', pod.namespace);
  metadata.set('kubernetes/client-pod-name', pod.name);
  for (const [key, value] of Object.entries(pod.labels))
    metadata.set(`kubernetes/client-label/${key}`, value);
}
