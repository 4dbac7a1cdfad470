/** What each method does to one object or a collection: the verbs of the API, apart from watching. */
import { recordOf, textOf } from '../../../kube/json-fields.ts';
import type { ApiObject } from '../api-object.ts';
import { ApiRefusal, badRequest, notFound } from '../api-refusal.ts';
import type { Manifest, ObjectRef, ObjectStore } from '../object-store.ts';
import { mergePatch, strategicMergePatch } from '../objects/patch.ts';
import { apiVersionOf, type Resource } from '../resources.ts';
import type { ResourcePath } from './request-path.ts';

export interface ObjectRequest {
  readonly path: ResourcePath;
  readonly method: string;
  /** Without parameters. */
  readonly contentType: string;
  readonly query: URLSearchParams;
  readonly body: Manifest;
}

export interface ObjectTools {
  readonly store: ObjectStore;
  /** How long a deleted pod stays visible as terminating, for its kubelet to remove; 0 removes it at once. */
  readonly podGraceSeconds: number;
}

export interface ObjectAnswer {
  readonly status: number;
  readonly object: ApiObject;
  /** The object was deleted, which DELETE reports as a Status. */
  readonly gone?: boolean;
}

/** Throws `ApiRefusal`. The path names a resource; GET without a name is not handled here. */
export function answerObjectRequest(request: ObjectRequest, tools: ObjectTools): ObjectAnswer {
  const { path, method } = request;
  const { resource } = path;
  refuseSubresource(path);
  if (method !== 'GET' && resource.readOnly) throw methodNotAllowed(method);
  if (method !== 'GET' && (request.query.get('dryRun') ?? '') !== '')
    throw badRequest('the lab has no dry run: use --dry-run=client');
  if (path.name === undefined) {
    if (method !== 'POST') throw methodNotAllowed(method);
    return { status: 201, object: tools.store.create(manifestOf(request)) };
  }
  const ref = refOf(path, path.name);
  switch (method) {
    case 'GET':
      return { status: 200, object: existing(tools.store, resource, ref) };
    case 'PUT':
      return replaceObject(request, ref, tools.store);
    case 'PATCH':
      return patchObject(request, ref, tools.store);
    case 'DELETE':
      return deleteObject(request, ref, tools);
    default:
      throw methodNotAllowed(method);
  }
}

const KUBELET_SUBRESOURCES = ['log', 'exec', 'attach', 'portforward'];

function refuseSubresource({ resource, name = '', subresource }: ResourcePath): void {
  if (subresource === undefined || (subresource === 'status' && resource.statusSubresource)) return;
  if (!KUBELET_SUBRESOURCES.includes(subresource)) throw notFound(resource, `${name}/${subresource}`);
  throw new ApiRefusal({
    status: 405,
    reason: 'MethodNotAllowed',
    message: `the lab has no kubelet to ask: use \`zerohop lab logs ${name}\` and \`zerohop lab exec ${name} -- COMMAND\``,
  });
}

function refOf(path: ResourcePath, name: string): ObjectRef {
  const { namespace, resource } = path;
  return { kind: resource.kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

function existing(store: ObjectStore, resource: Resource, ref: ObjectRef): ApiObject {
  const object = store.find(ref);
  if (object === undefined) throw notFound(resource, ref.name);
  return object;
}

/** The body with what the URL says filled in; a body that contradicts the URL is refused. */
function manifestOf({ path, body }: ObjectRequest): Manifest {
  const { resource } = path;
  const apiVersion = body.apiVersion ?? apiVersionOf(resource);
  const kind = body.kind ?? resource.kind;
  if (apiVersion !== apiVersionOf(resource) || kind !== resource.kind)
    throw badRequest(`the kind in the body (${String(apiVersion)}, ${String(kind)}) is not that of the URL`);
  const metadata = recordOf(body.metadata);
  const namespace = textOf(metadata.namespace) || path.namespace;
  if (path.namespace !== undefined && namespace !== path.namespace)
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
  return {
    ...body,
    apiVersion,
    kind,
    metadata: { ...metadata, ...(resource.namespaced && namespace !== undefined ? { namespace } : {}) },
  };
}

function replaceObject(request: ObjectRequest, ref: ObjectRef, store: ObjectStore): ObjectAnswer {
  const manifest = manifestOf(request);
  if (request.path.subresource !== 'status')
    return { status: 200, object: store.update(ref, () => manifest) };
  return { status: 200, object: store.replaceStatus(ref, recordOf(manifest.status)) };
}

function patchObject(request: ObjectRequest, ref: ObjectRef, store: ObjectStore): ObjectAnswer {
  const { contentType, body, path } = request;
  const merge = MERGES[contentType];
  if (merge === undefined)
    throw new ApiRefusal({
      status: 415,
      reason: 'UnsupportedMediaType',
      message: `the lab does not know this kind of patch: received ${JSON.stringify(contentType)}`,
    });
  if (contentType === APPLY_PATCH && store.find(ref) === undefined)
    return { status: 201, object: store.create(manifestOf(request)) };
  if (path.subresource === 'status') {
    const next = merge(existing(store, path.resource, ref), body);
    return { status: 200, object: store.replaceStatus(ref, recordOf(recordOf(next).status)) };
  }
  return { status: 200, object: store.update(ref, (current) => recordOf(merge(current, body))) };
}

const APPLY_PATCH = 'application/apply-patch+yaml';

/** Server-side apply without ownership of fields: what the patch says is merged in, nothing is taken away. */
const MERGES: Readonly<Record<string, (target: unknown, patch: unknown) => unknown>> = {
  'application/merge-patch+json': mergePatch,
  'application/strategic-merge-patch+json': strategicMergePatch,
  [APPLY_PATCH]: strategicMergePatch,
};

function deleteObject(request: ObjectRequest, ref: ObjectRef, tools: ObjectTools): ObjectAnswer {
  const { store, podGraceSeconds } = tools;
  const current = existing(store, request.path.resource, ref);
  const { uid } = recordOf(request.body.preconditions);
  if (uid !== undefined && uid !== current.metadata.uid)
    throw new ApiRefusal({
      status: 409,
      reason: 'Conflict',
      message: 'the UID in the precondition does not match',
    });
  const asked =
    request.body.gracePeriodSeconds ?? Number(request.query.get('gracePeriodSeconds') ?? podGraceSeconds);
  if (ref.kind === 'Pod' && podGraceSeconds > 0 && asked !== 0)
    return {
      status: 200,
      object: store.markDeleted(ref, typeof asked === 'number' ? asked : podGraceSeconds),
    };
  return { status: 200, object: store.delete(ref), gone: true };
}

function methodNotAllowed(method: string): ApiRefusal {
  return new ApiRefusal({
    status: 405,
    reason: 'MethodNotAllowed',
    message: `the server does not allow this method on the requested resource: received ${method}`,
  });
}
