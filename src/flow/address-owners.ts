/**
 * Which rows of the snapshot have an address, followed from snapshot to snapshot: what a change costs is what changed,
 * not the fifty thousand endpoints around it. Per address it keeps the keys of rows and no copies of them.
 */
import { changedKeys } from '../cluster/changed-keys.ts';
import type {
  EndpointRow,
  EndpointSliceRow,
  NodeRow,
  ObjectKey,
  PodRow,
  ServiceRow,
} from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import type { Ip } from '../net/ip.ts';
import { type Prefix, prefixContains } from '../net/prefix.ts';

/** Address to the keys of the rows that have it: nearly always one, which then needs no list. */
class KeyIndex {
  readonly #keys = new Map<Ip, ObjectKey | readonly ObjectKey[]>();

  keysOf(address: Ip): readonly ObjectKey[] {
    const held = this.#keys.get(address);
    return held === undefined ? [] : typeof held === 'string' ? [held] : held;
  }

  replace(key: ObjectKey, before: Iterable<Ip>, after: Iterable<Ip>): void {
    const kept = new Set(after);
    for (const address of before) if (!kept.has(address)) this.#remove(address, key);
    for (const address of kept) this.#add(address, key);
  }

  #add(address: Ip, key: ObjectKey): void {
    const keys = this.keysOf(address);
    if (!keys.includes(key)) this.#keys.set(address, keys.length === 0 ? key : [...keys, key]);
  }

  #remove(address: Ip, key: ObjectKey): void {
    const [first, ...rest] = this.keysOf(address).filter((each) => each !== key);
    if (first === undefined) this.#keys.delete(address);
    else this.#keys.set(address, rest.length === 0 ? first : [first, ...rest]);
  }
}

export interface AddressOwnersEvents {
  /** A pod's row came, went or changed. */
  readonly onPod: (before: PodRow | undefined, after: PodRow | undefined) => void;
}

export class AddressOwners {
  readonly #events: AddressOwnersEvents;
  readonly #pods = new KeyIndex();
  readonly #services = new KeyIndex();
  readonly #nodes = new KeyIndex();
  readonly #slices = new KeyIndex();
  /** Of a generation that nothing follows: the first snapshot is read whole. */
  #snapshot: ClusterSnapshot = { ...EMPTY_SNAPSHOT, generation: Number.NaN };
  #podPrefixes: readonly Prefix[] = [];

  constructor(events: AddressOwnersEvents) {
    this.#events = events;
  }

  follow(snapshot: ClusterSnapshot): void {
    const before = this.#snapshot;
    if (before === snapshot) return;
    for (const key of changedKeys(before, snapshot, 'pods')) {
      const [old, now] = [before.pods.get(key), snapshot.pods.get(key)];
      this.#pods.replace(key, podAddresses(old), podAddresses(now));
      this.#events.onPod(old, now);
    }
    for (const key of changedKeys(before, snapshot, 'services'))
      this.#services.replace(
        key,
        clusterIPs(before.services.get(key)),
        clusterIPs(snapshot.services.get(key)),
      );
    for (const key of changedKeys(before, snapshot, 'nodes'))
      this.#nodes.replace(key, nodeAddresses(before.nodes.get(key)), nodeAddresses(snapshot.nodes.get(key)));
    for (const key of changedKeys(before, snapshot, 'endpointSlices')) {
      const [old, now] = [before.endpointSlices.get(key), snapshot.endpointSlices.get(key)];
      this.#slices.replace(key, sliceAddresses(old), sliceAddresses(now));
    }
    if (before.nodes !== snapshot.nodes)
      this.#podPrefixes = [...snapshot.nodes.values()].flatMap(({ podPrefixes = [] }) => podPrefixes);
    this.#snapshot = snapshot;
  }

  /** The pod that has it for itself. */
  pod(address: Ip): PodRow | undefined {
    let owner: PodRow | undefined;
    for (const key of this.#pods.keysOf(address)) {
      const pod = this.#snapshot.pods.get(key);
      if (pod !== undefined && (owner === undefined || claimsOver(pod, owner))) owner = pod;
    }
    return owner;
  }

  service(address: Ip): ServiceRow | undefined {
    const [key] = this.#services.keysOf(address);
    return key === undefined ? undefined : this.#snapshot.services.get(key);
  }

  node(address: Ip): NodeRow | undefined {
    const [key] = this.#nodes.keysOf(address);
    return key === undefined ? undefined : this.#snapshot.nodes.get(key);
  }

  isApiserver(address: Ip): boolean {
    return this.#slicesOf(address).some(isApiserverSlice);
  }

  /** An endpoint with this address that says which pod it is. */
  endpoint(address: Ip): EndpointRow | undefined {
    for (const { endpoints } of this.#slicesOf(address)) {
      const found = endpoints.find(
        (each) => each.targetPod !== undefined && each.addresses.includes(address),
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Whether a pod could have it: a node's range says so, or, where nodes have none, that it is nobody's in public. */
  isPodLike(address: Ip): boolean {
    if (this.#podPrefixes.length === 0) return isPrivate(address);
    return this.#podPrefixes.some((prefix) => prefixContains(prefix, address));
  }

  #slicesOf(address: Ip): readonly EndpointSliceRow[] {
    return this.#slices.keysOf(address).flatMap((key) => this.#snapshot.endpointSlices.get(key) ?? []);
  }
}

/** RFC 1918, RFC 6598 and RFC 4193. */
function isPrivate(address: Ip): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd])/.test(
    address,
  );
}

/** Pods on the host's network are not told apart from their node. */
export function podAddresses(pod: PodRow | undefined): readonly Ip[] {
  return pod === undefined || pod.hostNetwork ? [] : pod.podIPs;
}

function clusterIPs(service: ServiceRow | undefined): readonly Ip[] {
  return service?.clusterIPs ?? [];
}

function nodeAddresses(node: NodeRow | undefined): readonly Ip[] {
  return node?.internalIPs ?? [];
}

function* sliceAddresses(slice: EndpointSliceRow | undefined): Iterable<Ip> {
  if (slice === undefined) return;
  const all = isApiserverSlice(slice);
  for (const { addresses, targetPod } of slice.endpoints)
    if (all || targetPod !== undefined) yield* addresses;
}

function isApiserverSlice({ namespace, serviceName }: EndpointSliceRow): boolean {
  return namespace === 'default' && serviceName === 'kubernetes';
}

/** An address is reused after its pod has finished: the one that still runs, then the newer one, has it. */
function claimsOver(pod: PodRow, holder: PodRow): boolean {
  const ended = (row: PodRow) => row.phase === 'Succeeded' || row.phase === 'Failed';
  if (ended(pod) !== ended(holder)) return ended(holder);
  if (pod.deleting !== holder.deleting) return holder.deleting;
  return pod.createdAtMs > holder.createdAtMs;
}
