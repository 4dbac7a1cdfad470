/**
 * Who an address is: pod, service, node or world. Answers come from the cluster snapshot of the moment; the indexes are
 * made anew only when one of the maps behind them has been replaced, and pods that did not change keep their endpoint.
 * An address nobody knows is the world; deliberately no reverse lookups of names.
 */
import type { NodeRow, ObjectKey, PodRow, ServiceRow } from '../cluster/rows.ts';
import { objectKey } from '../cluster/rows.ts';
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import type { Ip } from '../net/ip.ts';
import type { Readable } from '../store/store.ts';
import type { Endpoint, ServiceRef } from './api.ts';
import {
  createIdentityNumbers,
  type IdentityNumbers,
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
}

export interface Enricher {
  lookup(address: Ip): AddressInfo;
}

interface Indexes {
  readonly source: ClusterSnapshot;
  readonly byAddress: ReadonlyMap<Ip, AddressInfo>;
}

export function createEnricher(cluster: Readable<ClusterSnapshot>, nodeName: string): Enricher {
  const numbers = createIdentityNumbers();
  const identified = new WeakMap<PodRow, Identified>();
  let indexes: Indexes | undefined;
  return {
    lookup(address) {
      const snapshot = cluster.get();
      if (indexes === undefined || !sameMaps(indexes.source, snapshot)) {
        indexes = {
          source: snapshot,
          byAddress: indexAddresses({ snapshot, nodeName, numbers, identified }),
        };
      }
      return indexes.byAddress.get(address) ?? (isLoopback(address) ? HOST : WORLD);
    },
  };
}

/** What a pod's row gives, computed once per row: rows that did not change stay the same objects. */
interface Identified {
  readonly info: AddressInfo;
  readonly labelSet: string;
}

function sameMaps(a: ClusterSnapshot, b: ClusterSnapshot): boolean {
  return (
    a.pods === b.pods &&
    a.services === b.services &&
    a.nodes === b.nodes &&
    a.endpointSlices === b.endpointSlices
  );
}

interface IndexInput {
  readonly snapshot: ClusterSnapshot;
  readonly nodeName: string;
  readonly numbers: IdentityNumbers;
  readonly identified: WeakMap<PodRow, Identified>;
}

/** Later entries win: apiserver, then nodes, then services, then pods. */
function indexAddresses(input: IndexInput): ReadonlyMap<Ip, AddressInfo> {
  const { snapshot } = input;
  const byAddress = new Map<Ip, AddressInfo>();
  for (const address of apiserverAddresses(snapshot)) byAddress.set(address, KUBE_APISERVER);
  for (const node of snapshot.nodes.values()) indexNode(byAddress, node, input.nodeName);
  for (const service of snapshot.services.values()) indexService(byAddress, service);
  indexPods(byAddress, input);
  return byAddress;
}

function apiserverAddresses(snapshot: ClusterSnapshot): readonly Ip[] {
  return [...snapshot.endpointSlices.values()]
    .filter((slice) => slice.namespace === 'default' && slice.serviceName === 'kubernetes')
    .flatMap((slice) => slice.endpoints.flatMap((endpoint) => endpoint.addresses));
}

function indexNode(byAddress: Map<Ip, AddressInfo>, node: NodeRow, nodeName: string): void {
  for (const address of node.internalIPs) byAddress.set(address, node.name === nodeName ? HOST : REMOTE_NODE);
}

function indexService(byAddress: Map<Ip, AddressInfo>, service: ServiceRow): void {
  const info: AddressInfo = {
    endpoint: {},
    service: { name: service.name, namespace: service.namespace },
  };
  for (const address of service.clusterIPs) byAddress.set(address, info);
}

function indexPods(byAddress: Map<Ip, AddressInfo>, input: IndexInput): void {
  const used = new Set<string>();
  const owners = new Map<Ip, PodRow>();
  for (const pod of input.snapshot.pods.values()) {
    if (pod.hostNetwork) continue;
    const { info, labelSet } = identify(pod, input);
    used.add(labelSet);
    for (const address of pod.podIPs) {
      const holder = owners.get(address);
      if (holder !== undefined && !claimsOver(pod, holder)) continue;
      owners.set(address, pod);
      byAddress.set(address, info);
    }
  }
  input.numbers.retain(used);
}

/** An address is reused after its pod has finished: the one that still runs, then the newer one, has it. */
function claimsOver(pod: PodRow, holder: PodRow): boolean {
  const ended = (row: PodRow) => row.phase === 'Succeeded' || row.phase === 'Failed';
  if (ended(pod) !== ended(holder)) return ended(holder);
  if (pod.deleting !== holder.deleting) return holder.deleting;
  return pod.createdAtMs > holder.createdAtMs;
}

function identify(pod: PodRow, input: IndexInput): Identified {
  const known = input.identified.get(pod);
  if (known !== undefined) return known;
  const labels = identityLabels(pod);
  const endpoint: Endpoint = {
    identity: input.numbers.numberOf(labels),
    cluster_name: 'default',
    namespace: pod.namespace,
    labels,
    pod_name: pod.name,
    ...(pod.workload === undefined
      ? {}
      : { workloads: [{ name: pod.workload.name, kind: pod.workload.kind }] }),
  };
  const identified = { info: { endpoint, pod: objectKey(pod) }, labelSet: labelSetKey(labels) };
  input.identified.set(pod, identified);
  return identified;
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
