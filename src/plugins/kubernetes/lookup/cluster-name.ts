/**
 * What a name below a cluster zone asks for, read from its labels alone (dns-server 3.4, name grammar). Pure: nothing
 * here knows whether the object exists. Labels are compared as they stand, so callers fold case first. Wildcard labels
 * (`*`, `any`) are ordinary labels.
 */

/** What the directive adds to the grammar. */
export interface Grammar {
  /** `ZONE.pin._zone.…` and `ZONE.prefer._zone.…` in front of a service. */
  readonly zonal: boolean;
  /** Two labels without underscores in front of a service are an endpoint and its cluster. */
  readonly clusters: boolean;
}

export type Branch = 'svc' | 'pod';

/** A service or pod name with what narrows it down. */
export interface ObjectName {
  readonly kind: 'object';
  readonly branch: Branch;
  readonly namespace: string;
  /** The service's name, or a pod's address with dashes. */
  readonly name: string;
  readonly endpoint?: string;
  /** Without the underscore; never present without `protocol`. */
  readonly port?: string;
  /** Without the underscore; lower case as everything here. */
  readonly protocol?: string;
  /** Where the endpoint is; never present without `endpoint`. */
  readonly cluster?: string;
  /** Only endpoints in this zone; with `orAll` all of them when there are none. */
  readonly zonal?: { readonly zone: string; readonly orAll: boolean };
}

export type ClusterName =
  | { readonly kind: 'apex' }
  /** `svc` or `pod` alone: an empty non-terminal. */
  | { readonly kind: 'branch'; readonly branch: Branch }
  | { readonly kind: 'namespace'; readonly branch: Branch; readonly namespace: string }
  | ObjectName
  /** `dns-version`: the schema's version as TXT. */
  | { readonly kind: 'version' }
  /** `ns.dns`: this server's own name in the SOA. */
  | { readonly kind: 'server' }
  | { readonly kind: 'invalid' };

const INVALID: ClusterName = { kind: 'invalid' };

/** Reads the lower-case labels left of the zone, in reading order. Every list of labels has exactly one meaning. */
export function parseClusterName(
  labels: readonly string[],
  grammar: Grammar = { zonal: false, clusters: false },
): ClusterName {
  const branch = labels.at(-1);
  if (branch === undefined) return { kind: 'apex' };
  if (branch !== 'svc' && branch !== 'pod') return parseSpecialName(labels);
  const namespace = labels.at(-2);
  if (namespace === undefined) return { kind: 'branch', branch };
  const name = labels.at(-3);
  if (name === undefined) return { kind: 'namespace', branch, namespace };
  const object = { kind: 'object', branch, namespace, name } as const;
  const front = labels.slice(0, -3);
  const [first, second, ...more] = front;
  if (first === undefined) return object;
  if (second === undefined) return { ...object, endpoint: first };
  if (more.length > 0) return parseZonal(object, front, grammar) ?? INVALID;
  if (grammar.clusters && !first.startsWith('_') && !second.startsWith('_')) {
    return { ...object, endpoint: first, cluster: second };
  }
  return { ...object, port: withoutUnderscore(first), protocol: withoutUnderscore(second) };
}

/** A zone's name may itself hold dots: all labels in front of the two that say what they are. */
function parseZonal(
  object: ObjectName,
  front: readonly string[],
  { zonal }: Grammar,
): ClusterName | undefined {
  const mode = front.at(-2);
  if (!zonal || object.branch !== 'svc' || front.at(-1) !== '_zone') return undefined;
  if (mode !== 'pin' && mode !== 'prefer') return undefined;
  return { ...object, zonal: { zone: front.slice(0, -2).join('.'), orAll: mode === 'prefer' } };
}

function parseSpecialName(labels: readonly string[]): ClusterName {
  if (labels.length === 1 && labels[0] === 'dns-version') return { kind: 'version' };
  if (labels.length === 2 && labels[0] === 'ns' && labels[1] === 'dns') return { kind: 'server' };
  return INVALID;
}

/** RFC 2782 wants the underscore; the cluster schema has always been answered without it too. */
function withoutUnderscore(label: string): string {
  return label.startsWith('_') ? label.slice(1) : label;
}
