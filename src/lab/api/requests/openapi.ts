/**
 * Just enough OpenAPI for `kubectl apply` with its default validation. A recent kubectl looks up the PATCH operation of a
 * kind in the version 3 document and, finding a `fieldValidation` parameter there, leaves validation to the server. An
 * old one fetches version 2 as protobuf: a message without fields is a valid empty document, by which it validates
 * nothing. Schemas of the types are deliberately absent, so `kubectl explain` has nothing to say.
 */
import { apiVersionOf, RESOURCES, type Resource } from '../resources.ts';

export interface OpenapiDocument {
  readonly contentType: string;
  readonly body: string;
}

/** Undefined for paths outside /openapi. `accept` is the request's header. */
export function openapiDocument(pathname: string, accept: string): OpenapiDocument | undefined {
  if (pathname === '/openapi/v2') return version2(accept);
  if (pathname === '/openapi/v3')
    return json({
      paths: Object.fromEntries(
        groupPaths().map((path) => [path, { serverRelativeURL: `/openapi/v3/${path}` }]),
      ),
    });
  const path = pathname.startsWith('/openapi/v3/') ? pathname.slice('/openapi/v3/'.length) : '';
  const resources = RESOURCES.filter((resource) => groupPath(resource) === path);
  return resources.length === 0 ? undefined : json(version3(resources));
}

/** The name in the request has an `@`, on which the media type parser of a client of 2020 chokes in an answer. */
const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

function version2(accept: string): OpenapiDocument {
  if (accept.includes('protobuf')) return { contentType: PROTOBUF, body: '' };
  return json({
    swagger: '2.0',
    info: { title: 'zerohop lab', version: 'v1.32.0' },
    paths: {},
    definitions: {},
  });
}

function version3(resources: readonly Resource[]): unknown {
  return {
    openapi: '3.0.0',
    info: { title: 'zerohop lab', version: 'v1.32.0' },
    paths: Object.fromEntries(
      resources.map((resource) => [objectPath(resource), { patch: patchOperation(resource) }]),
    ),
  };
}

function patchOperation(resource: Resource): unknown {
  const query = (name: string) => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } });
  return {
    operationId: `patch${resource.kind}`,
    parameters: ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map(query),
    responses: { 200: { description: 'OK' } },
    'x-kubernetes-action': 'patch',
    'x-kubernetes-group-version-kind': {
      group: resource.group,
      version: resource.version,
      kind: resource.kind,
    },
  };
}

function objectPath(resource: Resource): string {
  const scope = resource.namespaced ? '/namespaces/{namespace}' : '';
  return `/${groupPath(resource)}${scope}/${resource.plural}/{name}`;
}

function groupPath(resource: Resource): string {
  return resource.group === '' ? `api/${resource.version}` : `apis/${apiVersionOf(resource)}`;
}

function groupPaths(): readonly string[] {
  return [...new Set(RESOURCES.map(groupPath))];
}

function json(document: unknown): OpenapiDocument {
  return { contentType: 'application/json', body: JSON.stringify(document) };
}
