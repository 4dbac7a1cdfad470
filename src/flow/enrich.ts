/**
 * Who an address is: pod, service, node or world. Answers come from the cluster snapshot of the moment. Of pods only this
 * node's are in it: others are known by name from the endpoint slices, and in full where somebody asks the API server for
 * them (`remotePod`). An address nobody knows is the world; deliberately no reverse lookups of names.
 */
import { type EndpointRow, type ObjectKey, objectKey, type PodRow } from '../cluster/rows.ts';
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import type { Ip } from '../net/ip.ts';
import type { Readable } from '../store/store.ts';
import { AddressOwners } from './address-owners.ts';
import type { Endpoint, ServiceRef } from './api.ts';
import { DepartedPods } from './departed-pods.ts';
import {
  createIdentityNumbers,
  identityLabels,
  labelSetKey,
  RESERVED_IDENTITIES,
  type ReservedIdentity,
} from './identity.ts';

export interface AddressInfo {
  readonly endpoint: Endpoint;
  /** Set when the address is a service's own, and only then (spec hubble 3.1). */
  readonly service?: ServiceRef;
  /** The pod that has this address for itself; pods on the host's network are not told apart from their node. */
  readonly pod?: ObjectKey;
  /** A pod of another node, of which less is known than may be a moment later. */
  readonly provisional?: true;
}

export interface Enricher {
  /** `atNs`: who had it then, CLOCK_MONOTONIC; of pods that went, so far as they are remembered. Absent: now. */
  lookup(address: Ip, atNs?: bigint): AddressInfo;
}

/** Whether it is a pod's, named or not yet. */
export function isPod({ pod, provisional }: AddressInfo): boolean {
  return pod !== undefined || provisional === true;
}

export interface EnricherOptions {
  /** A pod of another node as far as it is known by now; asking is what makes it known. */
  readonly remotePod?: (address: Ip) => PodRow | undefined;
  /** CLOCK_MONOTONIC. */
  readonly nowNs?: () => bigint;
}

export function createEnricher(
  cluster: Readable<ClusterSnapshot>,
  nodeName: string,
  { remotePod = () => undefined, nowNs = process.hrtime.bigint }: EnricherOptions = {},
): Enricher {
  const identities = createPodIdentities();
  const slicePods = new WeakMap<EndpointRow, AddressInfo>();
  const departed = new DepartedPods(nowNs);
  const owners = new AddressOwners({
    onPod(before, after) {
      identities.follow(before, after);
      departed.follow(before, after);
    },
  });

  function remote(address: Ip): AddressInfo | undefined {
    const endpoint = owners.endpoint(address);
    if (endpoint === undefined && !owners.isPodLike(address)) return undefined;
    const pod = remotePod(address);
    if (pod !== undefined && !pod.hostNetwork) return identities.of(pod);
    if (endpoint?.targetPod === undefined) return UNMANAGED;
    const known = slicePods.get(endpoint) ?? infoOfTarget(endpoint.targetPod);
    slicePods.set(endpoint, known);
    return known;
  }

  return {
    lookup(address, atNs) {
      owners.follow(cluster.get());
      const pod = departed.ownerAt(address, atNs) ?? owners.pod(address);
      if (pod !== undefined) return identities.of(pod);
      const service = owners.service(address);
      if (service !== undefined)
        return { endpoint: {}, service: { name: service.name, namespace: service.namespace } };
      const node = owners.node(address);
      if (node !== undefined) return node.name === nodeName ? HOST : REMOTE_NODE;
      if (owners.isApiserver(address)) return KUBE_APISERVER;
      if (isLoopback(address)) return HOST;
      return remote(address) ?? WORLD;
    },
  };
}

interface PodIdentities {
  of(pod: PodRow): AddressInfo;
  /** Forgets numbers of label sets that no pod of the snapshot has any more. */
  follow(before: PodRow | undefined, after: PodRow | undefined): void;
}

/** What a pod's row gives, computed once per row: rows that did not change stay the same objects. */
function createPodIdentities(): PodIdentities {
  const numbers = createIdentityNumbers();
  const identified = new WeakMap<PodRow, AddressInfo>();
  /** Label set to how many pods of this node have it. */
  const used = new Map<string, number>();
  const count = (pod: PodRow | undefined, step: 1 | -1): boolean => {
    if (pod === undefined || pod.hostNetwork) return false;
    const key = labelSetKey(identityLabels(pod));
    const next = (used.get(key) ?? 0) + step;
    if (next > 0) used.set(key, next);
    else used.delete(key);
    return next === 0;
  };
  return {
    of(pod) {
      const known = identified.get(pod);
      if (known !== undefined) return known;
      const info = infoOf(pod, numbers.numberOf(identityLabels(pod)));
      identified.set(pod, info);
      return info;
    },
    follow(before, after) {
      count(after, 1);
      if (count(before, -1)) numbers.retain(new Set(used.keys()));
    },
  };
}

function infoOf(pod: PodRow, identity: number): AddressInfo {
  const endpoint: Endpoint = {
    identity,
    cluster_name: 'default',
    namespace: pod.namespace,
    labels: identityLabels(pod),
    pod_name: pod.name,
    ...(pod.workload === undefined
      ? {}
      : { workloads: [{ name: pod.workload.name, kind: pod.workload.kind }] }),
  };
  return { endpoint, pod: objectKey(pod) };
}

/** What a slice says of a pod: its name. Its labels, and with them its number, are not known. */
function infoOfTarget({
  namespace,
  name,
}: {
  readonly namespace: string;
  readonly name: string;
}): AddressInfo {
  const labels = [`k8s:io.kubernetes.pod.namespace=${namespace}`];
  const endpoint: Endpoint = { cluster_name: 'default', namespace, labels, pod_name: name };
  return { endpoint, pod: objectKey({ namespace, name }), provisional: true };
}

function reserved(word: ReservedIdentity): AddressInfo {
  return { endpoint: { identity: RESERVED_IDENTITIES[word], labels: [`reserved:${word}`] } };
}

function isLoopback(address: Ip): boolean {
  return address.startsWith('127.') || address === '::1';
}

const HOST = reserved('host');
const WORLD = reserved('world');
const REMOTE_NODE = reserved('remote-node');
const KUBE_APISERVER = reserved('kube-apiserver');
/** A pod of another node that nobody has named yet. */
const UNMANAGED: AddressInfo = { ...reserved('unmanaged'), provisional: true };
