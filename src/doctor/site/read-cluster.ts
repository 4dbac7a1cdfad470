/**
 * API objects to `ClusterFacts`, the same for those of a server and those of a file. A bad object costs itself alone and is
 * told of; a kind that could not be listed stays unknown, with the reason.
 */
import { ok } from '../../fault/result.ts';
import { type Conversion, objectRow } from '../../kube/convert/conversion.ts';
import { convertEndpointSlice } from '../../kube/convert/convert-endpoint-slice.ts';
import { convertLocalRedirectPolicy } from '../../kube/convert/convert-local-redirect-policy.ts';
import { convertNamespace, convertNode } from '../../kube/convert/convert-node.ts';
import { convertService } from '../../kube/convert/convert-service.ts';
import { recordOf, textOf, textRecordOf } from '../../kube/json-fields.ts';
import type { ClusterFacts, ConfigMapFact, HelmValuesFact } from './cluster-facts.ts';
import { isKnown, type Known, known } from './known.ts';
import { convertCiliumPolicy } from './objects/cilium-policy.ts';
import { convertNetworkPolicy } from './objects/network-policy.ts';
import { convertPodFact, convertWorkload } from './objects/pod-spec.ts';
import { objectName, type SiteTrouble } from './site.ts';

/** The kinds that are read, and where an API server lists them. ConfigMaps: those of kube-system are enough. */
export const CLUSTER_KINDS = {
  Service: '/api/v1/services',
  EndpointSlice: '/apis/discovery.k8s.io/v1/endpointslices',
  Pod: '/api/v1/pods',
  DaemonSet: '/apis/apps/v1/daemonsets',
  Deployment: '/apis/apps/v1/deployments',
  StatefulSet: '/apis/apps/v1/statefulsets',
  ConfigMap: '/api/v1/namespaces/kube-system/configmaps',
  CiliumLocalRedirectPolicy: '/apis/cilium.io/v2/ciliumlocalredirectpolicies',
  NetworkPolicy: '/apis/networking.k8s.io/v1/networkpolicies',
  CiliumNetworkPolicy: '/apis/cilium.io/v2/ciliumnetworkpolicies',
  CiliumClusterwideNetworkPolicy: '/apis/cilium.io/v2/ciliumclusterwidenetworkpolicies',
  Node: '/api/v1/nodes',
  Namespace: '/api/v1/namespaces',
  CustomResourceDefinition: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
} as const;

export type ClusterKind = keyof typeof CLUSTER_KINDS;

/**
 * What was listed, item by item as the API writes it. A kind that the server does not know (404) is an empty list and not
 * an unknown one: there are none.
 */
export type RawObjects = { readonly [K in ClusterKind]: Known<readonly unknown[]> };

export interface ReadCluster {
  readonly cluster: ClusterFacts;
  readonly troubles: readonly SiteTrouble[];
}

export function readCluster(raw: RawObjects, helmValues: Known<readonly HelmValuesFact[]>): ReadCluster {
  const troubles: SiteTrouble[] = [];
  const read = <T>(kind: ClusterKind, convert: (object: unknown) => Conversion<T>): Known<readonly T[]> => {
    const items = raw[kind];
    if (!isKnown(items)) return items;
    return known(items.value.flatMap((object) => convertOne({ kind, convert, troubles }, object)));
  };
  const configMaps = read('ConfigMap', convertConfigMap);
  const cluster: ClusterFacts = {
    services: read('Service', convertService),
    endpointSlices: read('EndpointSlice', convertEndpointSlice),
    pods: read('Pod', convertPodFact),
    workloads: joined(
      read('DaemonSet', convertWorkload('DaemonSet')),
      read('Deployment', convertWorkload('Deployment')),
      read('StatefulSet', convertWorkload('StatefulSet')),
    ),
    configMaps,
    localRedirectPolicies: read('CiliumLocalRedirectPolicy', convertLocalRedirectPolicy),
    networkPolicies: read('NetworkPolicy', convertNetworkPolicy),
    ciliumPolicies: joined(
      read('CiliumNetworkPolicy', convertCiliumPolicy('CiliumNetworkPolicy')),
      read('CiliumClusterwideNetworkPolicy', convertCiliumPolicy('CiliumClusterwideNetworkPolicy')),
    ),
    nodes: read('Node', convertNode),
    namespaces: read('Namespace', convertNamespace),
    definitions: read('CustomResourceDefinition', (object) =>
      ok(textOf(recordOf(recordOf(object).metadata).name)),
    ),
    ciliumConfig: ciliumConfigOf(configMaps),
    helmValues,
  };
  return { cluster, troubles };
}

interface Reading<T> {
  readonly kind: ClusterKind;
  readonly convert: (object: unknown) => Conversion<T>;
  readonly troubles: SiteTrouble[];
}

function convertOne<T>({ kind, convert, troubles }: Reading<T>, object: unknown): readonly T[] {
  const converted = convert(object);
  if (converted.ok) return converted.value === undefined ? [] : [converted.value];
  const identity = objectRow(object);
  const subject = identity.ok ? objectName(kind, identity.value) : `a ${kind} without a name`;
  troubles.push({ subject, reason: converted.reason });
  return [];
}

/** Unknown as soon as one of them is: "there is none" cannot be said of half a list. */
function joined<T>(...parts: readonly Known<readonly T[]>[]): Known<readonly T[]> {
  const missing = parts.find((part) => !isKnown(part));
  if (missing !== undefined) return missing;
  return known(parts.flatMap((part) => (isKnown(part) ? part.value : [])));
}

/** Those with a Corefile, and what Cilium is told. */
function convertConfigMap(object: unknown): Conversion<ConfigMapFact> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const data = textRecordOf(recordOf(object).data);
  const wanted = identity.value.name === CILIUM_CONFIG || Object.keys(data).some(isCorefileKey);
  return ok(wanted ? { ...identity.value, data } : undefined);
}

const CILIUM_CONFIG = 'cilium-config';

/** `Corefile`, `Corefile.base`, `NodeLocal.Corefile`. */
export function isCorefileKey(key: string): boolean {
  return /(^|\.)corefile(\.|$)/i.test(key);
}

function ciliumConfigOf(configMaps: Known<readonly ConfigMapFact[]>): ClusterFacts['ciliumConfig'] {
  if (!isKnown(configMaps)) return configMaps;
  return known(configMaps.value.find(({ name }) => name === CILIUM_CONFIG)?.data);
}
