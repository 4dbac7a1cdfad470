/**
 * The lab cluster's state: all objects in memory, each frozen and replaced whole, every change numbered by one counter
 * and told to watchers in order. Used over HTTP by kubectl and agents, and in-process by the lab's own controllers.
 * The counter starts at the clock's milliseconds: a client that remembers a version from before a restart is then always
 * recognised as too old and lists again. Deliberately absent: persistence, finalizers, field ownership, admission.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type JsonRecord, recordOf, textOf } from '../../kube/json-fields.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { type ApiObject, deepFreeze, type ObjectMeta, type StoreEvent } from './api-object.ts';
import {
  ApiRefusal,
  alreadyExists,
  badRequest,
  conflict,
  expired,
  invalid,
  notFound,
} from './api-refusal.ts';
import { withDefaults } from './objects/defaults.ts';
import { strategicMergePatch } from './objects/patch.ts';
import { createServiceAddresses } from './objects/service-addresses.ts';
import { validateObject } from './objects/validate-object.ts';
import { createWatchHistory, type WatchHistory } from './objects/watch-history.ts';
import {
  findResource,
  LOCAL_REDIRECT_POLICY_CRD,
  RESOURCES,
  type Resource,
  type ResourceKind,
  resourceOf,
} from './resources.ts';

export interface ObjectRef {
  readonly kind: ResourceKind;
  /** Left out for cluster-scoped kinds. */
  readonly namespace?: string;
  readonly name: string;
}

/** A manifest as somebody wrote it: at least apiVersion, kind and metadata.name. */
export type Manifest = Readonly<Record<string, unknown>>;

/** Every method throws `ApiRefusal` with the Status a client would see. Objects given out are frozen. */
export interface ObjectStore {
  /**
   * Makes the object be as the manifest says: creates it, or replaces everything but its status. An object that is so
   * already keeps its resourceVersion and wakes no watcher.
   */
  apply(manifest: Manifest): ApiObject;
  /** Refuses when the object is there already. */
  create(manifest: Manifest): ApiObject;
  /** Replaces everything but status; a resourceVersion in the manifest must be the current one. */
  replace(manifest: Manifest): ApiObject;
  /** Computes the new object from the current one; the same rules as for `replace`. */
  update(ref: ObjectRef, change: (current: ApiObject) => Manifest): ApiObject;
  /** Puts `status` in the place of the old one and touches nothing else. */
  replaceStatus(ref: ObjectRef, status: Manifest): ApiObject;
  /** Merges into status (strategic merge: conditions by type, podIPs by ip) and touches nothing else. */
  patchStatus(ref: ObjectRef, status: Manifest): ApiObject;
  /** Sets metadata.deletionTimestamp, which says that the object is going; idempotent. */
  markDeleted(ref: ObjectRef, graceSeconds: number): ApiObject;
  /** Removes at once; a namespace takes its objects with it. */
  delete(ref: ObjectRef): ApiObject;
  find(ref: ObjectRef): ApiObject | undefined;
  /** Sorted by namespace and name. */
  list(kind: ResourceKind, namespace?: string): readonly ApiObject[];
  /** Calls `listener` after each change, in order, within the changing call. What exists already is not replayed. */
  watch(kind: ResourceKind, listener: (event: StoreEvent) => void): () => void;
  /** What happened to a kind after `version`; throws 410 when that is no longer known. */
  eventsSince(kind: ResourceKind, version: number): readonly StoreEvent[];
  /** The number of the last change. */
  version(): number;
}

interface KindTable {
  readonly objects: Map<string, ApiObject>;
  readonly history: WatchHistory;
  readonly listeners: Set<(event: StoreEvent) => void>;
}

export interface StoreOptions {
  /** See `ApiServerSpec`. */
  readonly prunesPolicyStatus?: boolean;
}

export function createObjectStore(clock: Clock, options: StoreOptions = {}): ObjectStore {
  const tables = new Map<ResourceKind, KindTable>();
  const addresses = createServiceAddresses();
  let version = Math.floor(clock.nowMs());

  const tableOf = (kind: ResourceKind): KindTable => {
    const known = tables.get(kind);
    if (known !== undefined) return known;
    const made = { objects: new Map(), history: createWatchHistory(version), listeners: new Set<never>() };
    tables.set(kind, made);
    return made;
  };
  for (const { kind } of RESOURCES) tableOf(kind);

  function publish(kind: ResourceKind, event: StoreEvent): ApiObject {
    const table = tableOf(kind);
    const key = keyOf(event.object.metadata);
    if (event.type === 'DELETED') table.objects.delete(key);
    else table.objects.set(key, event.object);
    table.history.add(event);
    for (const listener of [...table.listeners]) listener(event);
    return event.object;
  }

  function find(ref: ObjectRef): ApiObject | undefined {
    return tableOf(ref.kind).objects.get(keyOf(ref));
  }

  function existing(ref: ObjectRef): ApiObject {
    const object = find(ref);
    if (object === undefined) throw notFound(resourceOf(ref.kind), ref.name);
    return object;
  }

  function finish(draft: { fields: JsonRecord; metadata: JsonRecord; previous?: ApiObject }): ApiObject {
    version++;
    const metadata = { ...draft.metadata, resourceVersion: String(version) };
    // Round trip through JSON: the store holds what the wire could carry, and shares nothing with the caller.
    return deepFreeze(JSON.parse(JSON.stringify({ ...draft.fields, metadata })) as ApiObject);
  }

  function create(manifest: Manifest): ApiObject {
    const resource = resourceFor(manifest);
    const written = withNamespace(resource, named(manifest));
    const metadata = recordOf(written.metadata);
    const name = textOf(metadata.name) ?? '';
    const ref = refOf(resource, metadata);
    if (find(ref) !== undefined) throw alreadyExists(resource, name);
    requireNamespace(resource, ref, find);
    const fields = withDefaults(resource.kind, written, () =>
      addresses.next(usedAddresses(tableOf('Service').objects)),
    );
    refuseInvalid(resource, fields);
    const object = finish({
      fields,
      metadata: {
        ...withoutServerFields(recordOf(fields.metadata)),
        uid: randomUUID(),
        generation: 1,
        creationTimestamp: timestamp(clock.nowMs()),
      },
    });
    return publish(resource.kind, { type: 'ADDED', object });
  }

  function change(resource: Resource, current: ApiObject, wanted: JsonRecord): ApiObject {
    const kept = keptFields(resource, current);
    const next = options.prunesPolicyStatus === true ? pruned(resource, wanted) : wanted;
    const fields = withDefaults(
      resource.kind,
      { ...next, apiVersion: current.apiVersion, kind: current.kind },
      () => kept.clusterIP,
    );
    refuseInvalid(resource, fields, current);
    const metadata = { ...withoutServerFields(recordOf(fields.metadata)), ...kept.metadata };
    if (sameContent({ ...fields, metadata }, current)) return current;
    const generation = current.metadata.generation + (sameSpec(resource, fields, current) ? 0 : 1);
    const object = finish({ fields, metadata: { ...metadata, generation } });
    return publish(resource.kind, { type: 'MODIFIED', object, previous: current });
  }

  function update(ref: ObjectRef, compute: (current: ApiObject) => Manifest): ApiObject {
    const current = existing(ref);
    const resource = resourceOf(ref.kind);
    const next = compute(current);
    const given = textOf(recordOf(next.metadata).resourceVersion);
    if (given !== undefined && given !== current.metadata.resourceVersion) throw conflict(resource, ref.name);
    if (textOf(recordOf(next.metadata).name) !== ref.name)
      throw badRequest('the name of the object does not match the name on the URL');
    const status =
      resource.statusSubresource && current.status !== undefined ? { status: current.status } : {};
    return change(resource, current, withNamespace(resource, { ...next, ...status }));
  }

  function removeOne(kind: ResourceKind, current: ApiObject): ApiObject {
    const object = finish({ fields: current, metadata: current.metadata });
    return publish(kind, { type: 'DELETED', object, previous: current });
  }

  function remove(ref: ObjectRef): ApiObject {
    const current = existing(ref);
    if (ref.kind === 'Namespace') {
      for (const { kind, namespaced } of RESOURCES) {
        if (namespaced) for (const object of list(kind, ref.name)) removeOne(kind, object);
      }
    }
    return removeOne(ref.kind, current);
  }

  function list(kind: ResourceKind, namespace?: string): readonly ApiObject[] {
    const all = [...tableOf(kind).objects.values()];
    const wanted =
      namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
    return wanted.sort((a, b) => (keyOf(a.metadata) < keyOf(b.metadata) ? -1 : 1));
  }

  const store: ObjectStore = {
    create,
    update,
    delete: remove,
    find,
    list,
    apply(manifest) {
      const resource = resourceFor(manifest);
      const ref = refOf(resource, recordOf(withNamespace(resource, manifest).metadata));
      return find(ref) === undefined ? create(manifest) : update(ref, () => withoutVersion(manifest));
    },
    replace(manifest) {
      const resource = resourceFor(manifest);
      return update(refOf(resource, recordOf(withNamespace(resource, manifest).metadata)), () => manifest);
    },
    replaceStatus(ref, status) {
      const current = existing(ref);
      return change(resourceOf(ref.kind), current, { ...current, status });
    },
    patchStatus(ref, status) {
      const merged = strategicMergePatch(existing(ref).status, status);
      return store.replaceStatus(ref, recordOf(merged));
    },
    markDeleted(ref, graceSeconds) {
      const current = existing(ref);
      if (current.metadata.deletionTimestamp !== undefined) return current;
      const deletionTimestamp = timestamp(clock.nowMs() + graceSeconds * 1000);
      const metadata = { ...current.metadata, deletionTimestamp, deletionGracePeriodSeconds: graceSeconds };
      return publish(ref.kind, {
        type: 'MODIFIED',
        object: finish({ fields: current, metadata }),
        previous: current,
      });
    },
    watch(kind, listener) {
      const { listeners } = tableOf(kind);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    eventsSince(kind, since) {
      const events = since > version ? undefined : tableOf(kind).history.since(since);
      if (events === undefined) throw expired(`${since} (${version})`);
      return events;
    },
    version: () => version,
  };
  create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
  create(LOCAL_REDIRECT_POLICY_CRD);
  return store;
}

function keyOf(named: { readonly namespace?: string; readonly name: string }): string {
  return `${named.namespace ?? ''}/${named.name}`;
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

function resourceFor(manifest: Manifest): Resource {
  const resource = findResource(manifest.apiVersion, manifest.kind);
  if (resource !== undefined) return resource;
  const what = `kind ${JSON.stringify(manifest.kind)} in version ${JSON.stringify(manifest.apiVersion)}`;
  throw new ApiRefusal({ status: 404, reason: 'NotFound', message: `no matches for ${what}` });
}

function refOf(resource: Resource, metadata: JsonRecord): ObjectRef {
  const name = textOf(metadata.name) ?? '';
  const namespace = textOf(metadata.namespace);
  return { kind: resource.kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

/** metadata.generateName gets five characters, of which uuids have enough. */
function named(manifest: Manifest): JsonRecord {
  const metadata = recordOf(manifest.metadata);
  const prefix = textOf(metadata.generateName) ?? '';
  if (prefix === '' || (textOf(metadata.name) ?? '') !== '') return manifest;
  return { ...manifest, metadata: { ...metadata, name: `${prefix}${randomUUID().slice(0, 5)}` } };
}

function withNamespace(resource: Resource, manifest: JsonRecord): JsonRecord {
  const { namespace, ...metadata } = recordOf(manifest.metadata);
  if (!resource.namespaced) return { ...manifest, metadata };
  return { ...manifest, metadata: { ...metadata, namespace: textOf(namespace) || 'default' } };
}

function withoutVersion(manifest: Manifest): JsonRecord {
  const { resourceVersion: _, ...metadata } = recordOf(manifest.metadata);
  return { ...manifest, metadata };
}

/** Fields of metadata that only the server writes. */
function withoutServerFields(metadata: JsonRecord): JsonRecord {
  const {
    uid,
    resourceVersion,
    generation,
    creationTimestamp,
    deletionTimestamp,
    selfLink,
    managedFields,
    ...rest
  } = metadata;
  return rest;
}

interface Kept {
  readonly metadata: JsonRecord;
  readonly clusterIP: string;
}

/** What an update cannot change, whatever it says. */
function keptFields(resource: Resource, current: ApiObject): Kept {
  const { uid, generation, creationTimestamp, deletionTimestamp } = current.metadata;
  const clusterIP = resource.kind === 'Service' ? (textOf(recordOf(current.spec).clusterIP) ?? '') : '';
  const metadata = {
    uid,
    generation,
    creationTimestamp,
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
  };
  return { metadata, clusterIP };
}

function sameContent(next: JsonRecord, current: ApiObject): boolean {
  const { resourceVersion: _, ...metadata } = current.metadata as ObjectMeta;
  return isDeepStrictEqual(JSON.parse(JSON.stringify(next)), { ...current, metadata });
}

/** Upstream's schema of a policy's status knows one field, `ok`. */
function pruned(resource: Resource, object: JsonRecord): JsonRecord {
  if (resource.kind !== 'CiliumLocalRedirectPolicy' || object.status === undefined) return object;
  const { ok } = recordOf(object.status);
  return { ...object, status: ok === undefined ? {} : { ok } };
}

/** What a generation counts. Where the status has no door of its own, the API server takes it for a field like others. */
function sameSpec(resource: Resource, next: JsonRecord, current: ApiObject): boolean {
  const { metadata: _a, status: before, ...fields } = current;
  const { metadata: _b, status: after, ...nextFields } = JSON.parse(JSON.stringify(next)) as JsonRecord;
  const sameStatus = resource.statusSubresource || isDeepStrictEqual(after, before);
  return sameStatus && isDeepStrictEqual(nextFields, fields);
}

function refuseInvalid(resource: Resource, object: JsonRecord, previous?: ApiObject): void {
  const causes = validateObject(resource, object, previous);
  if (causes.length > 0) throw invalid(resource, textOf(recordOf(object.metadata).name) ?? '', causes);
}

function requireNamespace(
  resource: Resource,
  ref: ObjectRef,
  find: (ref: ObjectRef) => ApiObject | undefined,
): void {
  if (!resource.namespaced) return;
  const name = ref.namespace ?? '';
  if (find({ kind: 'Namespace', name }) === undefined) throw notFound(resourceOf('Namespace'), name);
}

function usedAddresses(services: ReadonlyMap<string, ApiObject>): ReadonlySet<string> {
  return new Set([...services.values()].map((service) => textOf(recordOf(service.spec).clusterIP) ?? ''));
}
