/**
 * What a name below a cluster zone asks for, read from its labels alone (dns-server 3.4, name grammar). Pure: nothing
 * here knows whether the object exists. Labels are compared as they stand, so callers fold case first. Wildcard labels
 * (`*`, `any`) are ordinary labels; zonal and multi-cluster forms are not built and come out as `invalid`.
 */
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
export function parseClusterName(labels: readonly string[]): ClusterName {
  const branch = labels.at(-1);
  if (branch === undefined) return { kind: 'apex' };
  if (branch !== 'svc' && branch !== 'pod') return parseSpecialName(labels);
  const namespace = labels.at(-2);
  if (namespace === undefined) return { kind: 'branch', branch };
  const name = labels.at(-3);
  if (name === undefined) return { kind: 'namespace', branch, namespace };
  const [first, second, ...more] = labels.slice(0, -3);
  if (more.length > 0) return INVALID;
  const object = { kind: 'object', branch, namespace, name } as const;
  if (first === undefined) return object;
  if (second === undefined) return { ...object, endpoint: first };
  return { ...object, port: withoutUnderscore(first), protocol: withoutUnderscore(second) };
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
