/**
 * A `Site` made of manifests. Only what was written is known: no node, no packet. A kind of which nothing was written counts
 * as empty, so what a check says of it is true of these manifests, and its evidence says so.
 */
import { recordOf, textOf } from '../../kube/json-fields.ts';
import type { HelmValuesFact } from '../site/cluster-facts.ts';
import { known } from '../site/known.ts';
import { CLUSTER_KINDS, type ClusterKind, type RawObjects, readCluster } from '../site/read-cluster.ts';
import { objectName, type Place, type Site, type SiteTrouble } from '../site/site.ts';
import type { ManifestFile } from './manifest-files.ts';
import { readYaml, type WrittenObject } from './read-yaml.ts';

export interface ManifestSiteOptions {
  readonly files: readonly ManifestFile[];
  readonly takenAtMs: number;
  readonly troubles?: readonly SiteTrouble[];
}

export function manifestSite({ files, takenAtMs, troubles = [] }: ManifestSiteOptions): Site {
  const read = files.map(({ file, text }) => readYaml(file, text));
  const written = read.flatMap(({ objects }) => objects);
  const places = new Map<string, Place>();
  const lists: Partial<Record<ClusterKind, unknown[]>> = {};
  const values: HelmValuesFact[] = [];
  const found: SiteTrouble[] = [...troubles, ...read.flatMap((one) => one.troubles)];
  for (const one of written) {
    const kind = textOf(one.object.kind);
    if (kind === undefined) addKindless(one, values, found);
    else if (isClusterKind(kind)) addObject({ kind, one, lists, places, found });
  }
  const kinds = Object.keys(CLUSTER_KINDS).filter(isClusterKind);
  const raw = Object.fromEntries(
    kinds.map((kind) => [kind, known(lists[kind] ?? [])]),
  ) as unknown as RawObjects;
  const { cluster, troubles: bad } = readCluster(raw, known(values));
  const placedBad = bad.map((trouble) => {
    const place = places.get(trouble.subject);
    return place === undefined ? trouble : { ...trouble, place };
  });
  return { origin: 'manifests', takenAtMs, cluster, nodes: [], troubles: [...found, ...placedBad], places };
}

function isClusterKind(kind: string): kind is ClusterKind {
  return Object.hasOwn(CLUSTER_KINDS, kind);
}

/** Without kind and apiVersion it is no object of Kubernetes, and may be a file of values for Helm. */
function addKindless({ object, place }: WrittenObject, values: HelmValuesFact[], found: SiteTrouble[]): void {
  if (object.apiVersion === undefined) values.push({ source: place.file, values: object });
  else found.push({ subject: place.file, reason: 'an object has an apiVersion and no kind', place });
}

const CLUSTER_SCOPED: readonly ClusterKind[] = [
  'Node',
  'Namespace',
  'CustomResourceDefinition',
  'CiliumClusterwideNetworkPolicy',
];

interface Adding {
  readonly kind: ClusterKind;
  readonly one: WrittenObject;
  readonly lists: Partial<Record<ClusterKind, unknown[]>>;
  readonly places: Map<string, Place>;
  readonly found: SiteTrouble[];
}

function addObject({ kind, one, lists, places, found }: Adding): void {
  const { object, place } = one;
  const metadata = recordOf(object.metadata);
  const name = textOf(metadata.name) ?? '';
  if (name === '') {
    found.push({ subject: `a ${kind} without a name`, reason: 'metadata.name is missing', place });
    return;
  }
  // What kubectl does where a manifest names no namespace.
  const namespace = CLUSTER_SCOPED.includes(kind) ? '' : (textOf(metadata.namespace) ?? 'default');
  places.set(objectName(kind, { namespace, name }), place);
  const list = lists[kind];
  const whole = { ...object, metadata: { ...metadata, namespace } };
  if (list === undefined) lists[kind] = [whole];
  else list.push(whole);
}
