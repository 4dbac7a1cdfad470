/**
 * The network namespace of a pod, by its address: by the veth that leads to it, and where there is none (macvlan, ipvlan,
 * netkit) by looking into each namespace of the machine. With it the processes inside, whose resolv.conf is the pod's.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { openPodPlaces, type PodPlaces } from '../../datapath/place/pod-places.ts';
import { errorCode } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import { namespaceAddresses } from '../../sys/netlink/addresses.ts';
import { DumpSocket } from '../../sys/netlink/exchange.ts';
import {
  insideNamespace,
  listNamespaces,
  type NetNamespace,
  namespaceId,
  ownNamespace,
} from '../../sys/netns/namespaces.ts';
import { systemClock } from '../../telemetry/clock.ts';

export interface PodNamespace extends NetNamespace {
  /** The host's side of its veth; undefined where there is none. */
  readonly ifname?: string;
  /** The pod lives in the node's own namespace. */
  readonly hostNetwork: boolean;
}

export interface PodNamespaces {
  /** Undefined when nobody here has the address. */
  find(address: Ip): PodNamespace | undefined;
  /** Those that live there, the sandbox's own (`pause`) last: its files are not always the pod's. */
  processes(namespace: Pick<NetNamespace, 'inode'>): readonly number[];
  close(): void;
}

/** Of the node whose namespace this thread is in. Pods that come later are not seen. Throws SYS_CALL_FAILED. */
export function openPodNamespaces(): PodNamespaces {
  const quiet = { info: () => undefined, warning: () => undefined, error: () => undefined };
  const places = openPodPlaces({ clock: systemClock, log: quiet });
  const namespaces = listNamespaces();
  const byId = new Map(namespaces.map((namespace) => [idOf(namespace), namespace]));
  let addresses: ReadonlyMap<Ip, NetNamespace> | undefined;
  let processes: ReadonlyMap<bigint, readonly number[]> | undefined;
  return {
    find(address) {
      const place = placeOf(places, address);
      if (place !== undefined && place.netnsId < 0) return { ...ownNamespace(), hostNetwork: true };
      const behind = place === undefined ? undefined : byId.get(place.netnsId);
      if (place !== undefined && behind !== undefined)
        return { ...behind, ifname: place.ifname, hostNetwork: false };
      // One look into each namespace serves all pods without a veth.
      addresses ??= addressesOf(namespaces);
      const holder = addresses.get(address);
      return holder === undefined ? undefined : { ...holder, hostNetwork: false };
    },
    processes({ inode }) {
      processes ??= processesByNamespace();
      return processes.get(inode) ?? [];
    },
    close: () => places.close(),
  };
}

function placeOf(places: PodPlaces, address: Ip) {
  try {
    return places.find(address);
  } catch (error) {
    if (errorCode(error) !== 'DATAPATH_NO_INTERFACE') throw error;
    return undefined;
  }
}

function idOf(namespace: NetNamespace): number | undefined {
  return namespace.inode === ownNamespace().inode ? undefined : namespaceId(namespace);
}

function addressesOf(namespaces: readonly NetNamespace[]): ReadonlyMap<Ip, NetNamespace> {
  const own = ownNamespace().inode;
  const found = new Map<Ip, NetNamespace>();
  for (const namespace of namespaces) {
    if (namespace.inode === own) continue;
    for (const { ip, linkLocal } of insideNamespace(namespace, listAddresses) ?? [])
      if (!linkLocal) found.set(ip, namespace);
  }
  return found;
}

function listAddresses() {
  const socket = new DumpSocket();
  try {
    return namespaceAddresses(socket).addresses;
  } finally {
    socket.close();
  }
}

function processesByNamespace(): ReadonlyMap<bigint, readonly number[]> {
  const found = new Map<bigint, number[]>();
  const sandboxes = new Map<bigint, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const { ino } = statSync(`/proc/${name}/ns/net`, { bigint: true });
      const isSandbox = readFileSync(`/proc/${name}/comm`, 'utf8').trim() === 'pause';
      const into = isSandbox ? sandboxes : found;
      const pids = into.get(ino);
      if (pids === undefined) into.set(ino, [Number(name)]);
      else pids.push(Number(name));
    } catch {
      // It has ended, or is none of ours to look into.
    }
  }
  for (const [ino, pids] of sandboxes) found.set(ino, [...(found.get(ino) ?? []), ...pids]);
  return found;
}
