/**
 * The suffixes that a pod's resolver tries (dns-server 3.17), for `autopath @kubernetes`: those that the kubelet writes
 * for the default DNS policy, and then those of the machine we run on, which the kubelet appends from its own.
 */
import { joinName, type Name, ROOT } from '../../dns/name.ts';
import type { Query } from '../../server/handler.ts';
import { matchingZone } from '../zones.ts';
import type { KubernetesOptions } from './options.ts';
import type { ClusterView } from './view/service-index.ts';

export interface SearchPathParts {
  readonly options: KubernetesOptions;
  readonly view: ClusterView;
  /** Of this server's own resolv.conf. */
  readonly hostSearch: readonly Name[];
}

/** Undefined for names outside our zones, and for clients that are no pod we know. */
export function podSearchPath(
  { options, view, hostSearch }: SearchPathParts,
  { question, client }: Query,
): readonly Name[] | undefined {
  const zone = matchingZone(options.zones, question.name);
  const pod = zone === undefined ? undefined : view.podsAt(client.address)[0];
  if (zone === undefined || pod === undefined) return undefined;
  const own = [joinName([pod.namespace, 'svc'], zone), joinName(['svc'], zone), zone];
  return [...own.filter((name) => name !== undefined), ...hostSearch, ROOT];
}
