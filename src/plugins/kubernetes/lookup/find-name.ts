/**
 * Whether a name exists and what stands behind it, before anybody asks for a type. One rule for all types is what keeps
 * NXDOMAIN and NODATA apart (dns-server 3.4, both tables). Order matters in one place: a namespace that is hidden or
 * gone makes everything below it not exist, whatever the objects say.
 */
import { canonicalName, type Name, nameLabels, ROOT } from '../../../dns/name.ts';
import type { Ip } from '../../../net/ip.ts';
import { isMulticlusterZone, type KubernetesOptions } from '../options.ts';
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

/** A name as it was asked, and what its labels in front of the zone mean. */
export interface AskedName {
  /** In the client's own case, which the answer's owner keeps. */
  readonly qname: Name;
  readonly canonical: Name;
  readonly name: ClusterName;
}

const NOTHING: Found = { kind: 'nothing' };
const EMPTY: Found = { kind: 'empty' };

export function findName(scope: Scope, { name }: AskedName): Found {
  if (name.kind !== 'apex' && isReverseName(scope.zone)) return NOTHING;
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

/** `qname`, in any case, must be in `zone`, which may itself be in any case. */
export function readName(options: KubernetesOptions, zone: Name, qname: Name): AskedName {
  const canonical = canonicalName(qname);
  // Still a name: what stands in front of the zone ends in a dot, or is nothing.
  const front = zone === ROOT ? canonical : (canonical.slice(0, -zone.length) as Name);
  const grammar = { zonal: options.zonal, clusters: isMulticlusterZone(options, zone) };
  return { qname, canonical, name: parseClusterName(front === '' ? [] : nameLabels(front), grammar) };
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
