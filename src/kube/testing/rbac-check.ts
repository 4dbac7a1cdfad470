/** Whether the API server's authorizer would let a request pass under given rules (Kubernetes, "Request verbs"). */
import type { PolicyRule } from '../rbac.ts';

export interface ApiRequest {
  readonly verb: string;
  readonly apiGroup: string;
  readonly resource: string;
  /** Absent: over all namespaces, or cluster-scoped. */
  readonly namespace?: string;
}

/** Undefined for paths that are no resources: discovery, health. `url` is path and query. */
export function requestOf(method: string, url: string): ApiRequest | undefined {
  const { pathname, searchParams } = new URL(url, 'http://api');
  const match =
    /^\/(?:api\/[^/]+|apis\/([^/]+)\/[^/]+)\/(?:namespaces\/([^/]+)\/(?=.))?([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(
      pathname,
    );
  const [, apiGroup = '', namespace, plural = '', name, subresource] = match ?? [];
  if (plural === '') return undefined;
  const watching = ['1', 'true'].includes(searchParams.get('watch') ?? '');
  const verb = verbOf(method, { named: name !== undefined, watching });
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
  return { verb, apiGroup, resource, ...(namespace === undefined ? {} : { namespace }) };
}

function verbOf(method: string, { named, watching }: { named: boolean; watching: boolean }): string {
  switch (method) {
    case 'GET':
      return watching ? 'watch' : named ? 'get' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return named ? 'delete' : 'deletecollection';
    default:
      return method;
  }
}

export interface Granted {
  readonly cluster: readonly PolicyRule[];
  readonly inNamespace?: { readonly namespace: string; readonly rules: readonly PolicyRule[] };
}

export function isGranted(request: ApiRequest, { cluster, inNamespace }: Granted): boolean {
  const own =
    inNamespace !== undefined && request.namespace === inNamespace.namespace ? inNamespace.rules : [];
  return [...cluster, ...own].some(
    ({ apiGroups, resources, verbs }) =>
      apiGroups.includes(request.apiGroup) &&
      resources.includes(request.resource) &&
      verbs.includes(request.verb),
  );
}

/** `group/resource verb` of each pair that the rules grant, to find those that nobody uses. */
export function grantsOf(rules: readonly PolicyRule[]): readonly string[] {
  return rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`)),
    ),
  );
}
