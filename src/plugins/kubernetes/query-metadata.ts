/**
 * Facts about a query for `log`, `rewrite` and the like, under `kubernetes/…` (dns-server 3.4). Nothing here is computed
 * unless the block has `metadata`.
 */
import type { PodRow } from '../../cluster/rows.ts';
import type { Query } from '../../server/handler.ts';
import { matchingZone } from '../zones.ts';
import type { ClusterName } from './lookup/cluster-name.ts';
import { readName } from './lookup/find-name.ts';
import type { KubernetesOptions } from './options.ts';
import type { ClusterView } from './view/service-index.ts';

type Metadata = Map<string, string>;

/** What the name asks for, and with `pods verified` who asks. */
export function describeQuery(
  { options, view }: { options: KubernetesOptions; view: ClusterView },
  { question, client, metadata }: Query,
): void {
  const pod = options.pods === 'verified' ? view.podsAt(client.address)[0] : undefined;
  if (pod !== undefined) describeClient(metadata, pod);
  const zone = matchingZone(options.zones, question.name);
  if (zone !== undefined) describeName(metadata, readName(options, zone, question.name).name);
}

function describeName(metadata: Metadata, name: ClusterName): void {
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

function describeClient(metadata: Metadata, pod: PodRow): void {
  metadata.set('kubernetes/client-namespace', pod.namespace);
  metadata.set('kubernetes/client-pod-name', pod.name);
  for (const [key, value] of Object.entries(pod.labels))
    metadata.set(`kubernetes/client-label/${key}`, value);
}
