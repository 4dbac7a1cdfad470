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
  close(): void;
}

/** Of the node whose namespace this thread is in. Pods that come later are not seen. Throws SYS_CALL_FAILED. */
export function openPodNamespaces(): PodNamespaces {
  const quiet = { info: () => undefined, warning: () => undefined, error: () => undefined };
  const places = openPodPlaces({ clock: systemClock, log: quiet });
  const namespaces = listNamespaces();
  const byId = new Map(namespaces.map((namespace) => [idOf(namespace), namespace]));
  return {
    find(address) {
      const place = placeOf(places, address);
      if (place !== undefined && place.netnsId < 0) return { ...ownNamespace(), hostNetwork: true };
      const behind = place === undefined ? undefined : byId.get(place.netnsId);
      if (place !== undefined && behind !== undefined)
        return { ...behind, ifname: place.ifname, hostNetwork: false };
      const holder = namespaces.find((namespace) => has(namespace, address));
      return holder === undefined ? undefined : { ...holder, hostNetwork: false };
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

function has(namespace: NetNamespace, address: Ip): boolean {
  if (namespace.inode === ownNamespace().inode) return false;
  const found = insideNamespace(namespace, () => {
    const socket = new DumpSocket();
    try {
      return namespaceAddresses(socket).addresses.some(({ ip }) => ip === address);
    } finally {
      socket.close();
    }
  });
  return found === true;
}

/** Those that live in the namespace, the sandbox's own (`pause`) last: its files are not always the pod's. */
export function processesIn({ inode }: Pick<NetNamespace, 'inode'>): readonly number[] {
  const found: { pid: number; isSandbox: boolean }[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (statSync(`/proc/${name}/ns/net`, { bigint: true }).ino !== inode) continue;
      const command = readFileSync(`/proc/${name}/comm`, 'utf8').trim();
      found.push({ pid: Number(name), isSandbox: command === 'pause' });
    } catch {
      // It has ended, or is none of ours to look into.
    }
  }
  found.sort((a, b) => Number(a.isSandbox) - Number(b.isSandbox));
  return found.map(({ pid }) => pid);
}
