/**
 * The lab cluster's objects in a fault's hands: written by its API server, as kubectl would, and put back as they were.
 * Pods are waited for, since a fault that is half there proves nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { errorCode } from '../../../../src/fault/app-error.ts';
import { createKubeClient, type KubeClient } from '../../../../src/kube/client.ts';
import { endpointConfig } from '../../../../src/kube/config/load-kube-config.ts';
import { recordOf, textOf } from '../../../../src/kube/json-fields.ts';
import { apiVersionOf, findResource, RESOURCES } from '../../../../src/lab/api/resources.ts';
import { LAB_PATHS } from '../../../../src/lab/topology.ts';

/** Takes a fault away. Called once. */
export type Mend = () => void | Promise<void>;

type Json = Readonly<Record<string, unknown>>;

const PATIENCE_MS = 40_000;
const POLL_MS = 50;

export class ClusterObjects {
  readonly #client: KubeClient = createKubeClient(endpointConfig(`unix://${LAB_PATHS.api}`));

  close(): void {
    this.#client.close();
  }

  get(path: string): Promise<unknown> {
    return this.#client.get(path);
  }

  /** Creates what is not there and replaces what is. Pods run when this resolves, unless `pods` is `crash`. */
  async apply(yaml: string, pods: 'run' | 'crash' = 'run'): Promise<Mend> {
    const objects = parseAllDocuments(yaml).flatMap((document) => {
      const object = document.toJS({ maxAliasCount: 0 }) as Json | null;
      return object === null ? [] : [object];
    });
    const mends: Mend[] = [];
    for (const object of objects) mends.unshift(await this.#put(object));
    for (const object of objects) if (object.kind === 'Pod') await this.#untilPod(pathOf(object), pods);
    return async () => {
      for (const mend of mends) await mend();
    };
  }

  /** `path` as `/api/v1/namespaces/kube-system/configmaps/coredns`. */
  async change(path: string, change: (object: Json) => Json): Promise<Mend> {
    const before = recordOf(await this.#client.get(path));
    await this.#client.replace(path, change(before));
    return () => this.#putBack(path, before);
  }

  /** Takes an object away; the mend makes it again. */
  async remove(path: string): Promise<Mend> {
    const before = recordOf(await this.#client.get(path));
    await this.#delete(path);
    return async () => {
      await this.#client.create(collectionOf(path), fresh(before));
      if (before.kind === 'Pod') await this.#untilPod(path, 'run');
    };
  }

  async until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(POLL_MS)) {
      const seen = await look();
      if (seen !== undefined) return seen;
      if (Date.now() > deadline) throw new Error(`Not within ${PATIENCE_MS / 1000} s: ${what}`);
    }
  }

  async #put(object: Json): Promise<Mend> {
    const path = pathOf(object);
    const before = await this.#find(path);
    if (before !== undefined) {
      await this.#client.replace(path, withVersionOf(object, before));
      return () => this.#putBack(path, before);
    }
    await this.#client.create(collectionOf(path), object);
    return () => this.#delete(path);
  }

  async #putBack(path: string, before: Json): Promise<void> {
    const now = await this.#find(path);
    if (now === undefined) await this.#client.create(collectionOf(path), fresh(before));
    else await this.#client.replace(path, withVersionOf(before, now));
  }

  async #delete(path: string): Promise<void> {
    if ((await this.#find(path)) === undefined) return;
    await this.#client.delete(path);
    // A pod's object stays until its process has ended and its namespace is gone.
    await this.until(`${path} is gone`, async () =>
      (await this.#find(path)) === undefined ? true : undefined,
    );
  }

  async #find(path: string): Promise<Json | undefined> {
    try {
      return recordOf(await this.#client.get(path));
    } catch (error) {
      if (errorCode(error) === 'KUBE_NOT_FOUND') return undefined;
      throw error;
    }
  }

  #untilPod(path: string, wanted: 'run' | 'crash'): Promise<true> {
    return this.until(`${path} should ${wanted}`, async () => {
      const status = recordOf(recordOf(await this.#client.get(path)).status);
      const [container] = (status.containerStatuses as readonly Json[] | undefined) ?? [];
      const { running } = recordOf(container?.state);
      if (wanted === 'crash') return Number(container?.restartCount ?? 0) > 0 || undefined;
      return running !== undefined && container?.ready === true ? true : undefined;
    });
  }
}

function pathOf(object: Json): string {
  const resource = findResource(object.apiVersion, object.kind);
  if (resource === undefined) throw new Error(`The lab has no kind ${String(object.kind)}`);
  const { name, namespace = 'default' } = recordOf(object.metadata);
  const group = resource.group === '' ? `/api/${resource.version}` : `/apis/${apiVersionOf(resource)}`;
  const scope = resource.namespaced ? `/namespaces/${textOf(namespace)}` : '';
  return `${group}${scope}/${resource.plural}/${textOf(name)}`;
}

const collectionOf = (path: string) => path.slice(0, path.lastIndexOf('/'));

function withVersionOf(object: Json, now: Json): Json {
  const { resourceVersion } = recordOf(now.metadata);
  return { ...object, metadata: { ...recordOf(object.metadata), resourceVersion } };
}

/** As somebody would write it who makes it again. */
function fresh({ status: _, ...object }: Json): Json {
  const {
    resourceVersion: _version,
    uid: _uid,
    creationTimestamp: _at,
    ...metadata
  } = recordOf(object.metadata);
  return { ...object, metadata };
}

/** Versions of all objects but those that agents keep writing by themselves. */
export async function objectVersions(objects: ClusterObjects): Promise<readonly string[]> {
  const found: string[] = [];
  for (const resource of RESOURCES.filter(({ kind }) => kind !== 'Lease' && kind !== 'Event')) {
    const group = resource.group === '' ? `/api/${resource.version}` : `/apis/${apiVersionOf(resource)}`;
    const { items } = (await objects.get(`${group}/${resource.plural}`)) as { items: readonly Json[] };
    for (const { metadata } of items) {
      const { name, resourceVersion } = recordOf(metadata);
      found.push(`${resource.kind} ${textOf(name)} ${textOf(resourceVersion)}`);
    }
  }
  return found;
}
