/**
 * Whether a name exists and what stands behind it, before anybody asks for a type. One rule for all types is what keeps
 * NXDOMAIN and NODATA apart (dns-server 3.4, both tables). Order matters in one place: a namespace that is hidden or
 * gone makes everything below it not exist, whatever the objects say.
 */
import { canonicalName, type Name, nameLabels } from '../../../dns/name.ts';
import type { Ip } from '../../../net/ip.ts';
import { type ClusterName, type ObjectName, parseClusterName } from './cluster-name.ts';
import { matchPod } from './match-pod.ts';
import { matchService, type ServiceMatch } from './match-service.ts';
import { isReverseName } from './reverse-name.ts';
import { namespaceShown, type Scope } from './scope.ts';
import { serverAddresses } from './server-names.ts';

export type Found =
  /** The name does not exist. */
  | { readonly kind: 'nothing' }
  /** The name exists only because others lie below it. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'addresses'; readonly addresses: readonly Ip[] }
  | { readonly kind: 'version' }
  | ServiceMatch;

const NOTHING: Found = { kind: 'nothing' };
const EMPTY: Found = { kind: 'empty' };

/** `qname` must be in the scope's zone; any case. */
export function findName(scope: Scope, qname: Name): Found {
  const name = clusterNameOf(scope.zone, qname);
  if (name.kind !== 'apex' && isReverseName(canonicalName(scope.zone))) return NOTHING;
  switch (name.kind) {
    case 'apex':
    case 'branch':
      return EMPTY;
    case 'namespace':
      return isNamespace(scope, name) ? EMPTY : NOTHING;
    case 'object':
      return findObject(scope, name);
    case 'version':
      return { kind: 'version' };
    case 'server':
      return { kind: 'addresses', addresses: serverAddresses(scope) };
    case 'invalid':
      return NOTHING;
  }
}

/** What the labels in front of the zone mean. */
export function clusterNameOf(zone: Name, qname: Name): ClusterName {
  const labels = nameLabels(canonicalName(qname));
  return parseClusterName(labels.slice(0, labels.length - nameLabels(zone).length));
}

function isNamespace(scope: Scope, { branch, namespace }: { branch: string; namespace: string }): boolean {
  if (branch === 'pod' && scope.options.pods === 'disabled') return false;
  return namespaceShown(scope, namespace);
}

function findObject(scope: Scope, name: ObjectName): Found {
  if (!namespaceShown(scope, name.namespace)) return NOTHING;
  if (name.branch === 'svc') return matchService(scope, name) ?? NOTHING;
  // A pod has neither endpoints nor named ports to put in front of it.
  if (name.endpoint !== undefined || name.port !== undefined) return NOTHING;
  const address = matchPod(scope, name.namespace, name.name);
  return address === undefined ? NOTHING : { kind: 'addresses', addresses: [address] };
}
