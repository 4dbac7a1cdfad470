/**
 * Which host-side interface, and which network namespace, an address of this node has, whatever CNI put it there: for
 * every veth of the node whose other end is elsewhere, the kernel is asked which addresses that namespace has (Linux 4.20).
 * That needs neither routes nor neighbours, so it is the same for routed and for bridged pods and for both families.
 *
 * What changes is told by the kernel: links of our namespace, and addresses in every namespace we know. An event is a hint
 * that one thing is to be asked again, so lost order and reused namespace ids do no harm; lost events mean a whole look.
 * The sockets are read, not waited for, at a tick and before every `find`.
 */
import { errorText } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import { namespaceAddresses, RTM_DELADDR, RTM_NEWADDR } from '../../sys/netlink/addresses.ts';
import { DumpSocket, type NetlinkMessage } from '../../sys/netlink/exchange.ts';
import {
  decodeLink,
  findLink,
  type LinkAnswer,
  listLinks,
  RTM_DELLINK,
  RTM_NEWLINK,
} from '../../sys/netlink/links.ts';
import { NetlinkWatch, RTNETLINK_GROUP } from '../../sys/netlink/watch.ts';
import { type Clock, type Timer, untilTick } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { AddressIndex } from './address-index.ts';
import { locateByRoute, routedInterface } from './by-route.ts';
import { type Location, OWN_NAMESPACE } from './location.ts';

export interface PodPlaces {
  /** Cheap: what is known already is looked up. Throws `DATAPATH_NO_INTERFACE` with what was found instead. */
  find(address: Ip): Location;
  /** Called, gathered over some milliseconds, when `find` may tell something else than before. */
  onChange(listener: () => void): void;
  close(): void;
}

export interface PodPlacesOptions {
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
}

/** Of the network namespace this thread is in, where it must stay. Throws SYS_CALL_FAILED. */
export function openPodPlaces(options: PodPlacesOptions): PodPlaces {
  return new KernelPodPlaces(options);
}

/** How long a change can lie in the socket. */
const TICK_MS = 50;
/** An address nobody has is looked for everywhere again, but not more often than this. */
const RESCAN_MS = { told: 5000, untold: 1000 } as const;

class KernelPodPlaces implements PodPlaces {
  readonly #options: PodPlacesOptions;
  readonly #index = new AddressIndex();
  readonly #linkWatch: NetlinkWatch;
  readonly #addressWatch: NetlinkWatch;
  readonly #asking: DumpSocket;
  /** Namespaces that the kernel does not let us look into. */
  readonly #opaque = new Set<number>();
  readonly #dirty = new Set<number>();
  #ownDirty = true;
  #own: ReadonlySet<Ip> = new Set();
  #listeners: readonly (() => void)[] = [];
  #linksChanged = false;
  #changed = false;
  /** Something was not read to its end: only a whole look tells what is true. */
  #stale = false;
  #error: string | undefined;
  #rescanNotBeforeMs = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: PodPlacesOptions) {
    this.#options = options;
    const opened: { close(): void }[] = [];
    const keep = <T extends { close(): void }>(socket: T): T => {
      opened.push(socket);
      return socket;
    };
    try {
      this.#asking = keep(new DumpSocket());
      this.#linkWatch = keep(new NetlinkWatch({ groups: [RTNETLINK_GROUP.LINK] }));
      const groups = [RTNETLINK_GROUP.IPV4_ADDRESS, RTNETLINK_GROUP.IPV6_ADDRESS];
      this.#addressWatch = keep(new NetlinkWatch({ groups, allNamespaces: true }));
    } catch (error) {
      for (const socket of opened) socket.close();
      throw error;
    }
    if (!this.#addressWatch.allNamespaces)
      options.log.warning(
        'datapath: addresses of pods are looked for every second: to be told of them takes CAP_NET_BROADCAST',
      );
    this.#rescan();
    this.#changed = false;
    this.#tick();
  }

  find(address: Ip): Location {
    this.#refresh();
    const known = this.#lookUp(address);
    if (known !== undefined) return known;
    if (!this.#closed && this.#options.clock.monotonicMs() >= this.#rescanNotBeforeMs) {
      this.#rescan();
      const found = this.#lookUp(address);
      if (found !== undefined) return found;
    }
    return locateByRoute(address, (netnsId) => this.#opaque.has(netnsId));
  }

  onChange(listener: () => void): void {
    if (!this.#closed) this.#listeners = [...this.#listeners, listener];
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners = [];
    this.#timer?.cancel();
    this.#linkWatch.close();
    this.#addressWatch.close();
    this.#asking.close();
  }

  #tick(): void {
    const { clock } = this.#options;
    this.#timer = clock.after(untilTick(clock, TICK_MS), () => {
      if (this.#closed) return;
      this.#tick();
      this.#refreshOrTell();
      if (!this.#changed) return;
      this.#changed = false;
      for (const listener of this.#listeners) listener();
    });
  }

  /**
   * An address can be a pod's that is going and a pod's that has just come. The node's own route tells which is in force;
   * behind a bridge there is none, and then it is the newer veth.
   */
  #lookUp(address: Ip): Location | undefined {
    if (this.#own.has(address)) return OWN_NAMESPACE;
    const candidates = this.#index.candidates(address);
    const [best, other] = candidates;
    if (best === undefined) return undefined;
    const routed = other === undefined ? undefined : routedInterface(address);
    const { ifindex, ifname, netnsId } = candidates.find((one) => one.ifindex === routed) ?? best;
    return { ifindex, ifname, netnsId };
  }

  /** The kernel may refuse once (no memory, no descriptor): said once, and tried again at the next tick. */
  #refreshOrTell(): void {
    try {
      this.#refresh();
      this.#error = undefined;
    } catch (error) {
      const text = errorText(error);
      if (this.#error !== text) this.#options.log.error(`datapath: ${text}`);
      this.#error = text;
    }
  }

  #refresh(): void {
    if (this.#closed) return;
    const wasStale = this.#stale;
    this.#stale = true;
    const addressesComplete = this.#addressWatch.drain((message, netnsId) =>
      this.#hearAddress(message, netnsId),
    );
    const linksComplete = this.#linkWatch.drain((message) => this.#hearLink(message));
    if (wasStale || !addressesComplete || !linksComplete) this.#rescan();
    else this.#readDirty();
    this.#stale = false;
  }

  #hearAddress({ type }: NetlinkMessage, netnsId: number | undefined): void {
    if (type !== RTM_NEWADDR && type !== RTM_DELADDR) return;
    if (netnsId === undefined) this.#ownDirty = true;
    else this.#dirty.add(netnsId);
  }

  #hearLink({ type, payload }: NetlinkMessage): void {
    const link = decodeLink(payload);
    if (link === undefined) return;
    if (type === RTM_NEWLINK) {
      this.#setLink(link);
    } else if (type === RTM_DELLINK) {
      this.#deleteLink(link.ifindex);
      if (link.kind === 'veth') this.#askPeers(link.ifindex);
    }
  }

  /** One end of a pair that both were ours went elsewhere: of the other end nothing is told. */
  #askPeers(ifindex: number): void {
    for (const { ifindex: other, kind, peerIfindex, peerNetnsId } of [...this.#index.links()]) {
      if (kind !== 'veth' || peerNetnsId !== undefined || peerIfindex !== ifindex) continue;
      const link = findLink(other);
      if (link !== undefined) this.#setLink(link);
    }
  }

  #setLink(link: LinkAnswer): void {
    if (this.#index.setLink(link)) this.#linksChanged = true;
    if (link.kind === 'veth' && link.peerNetnsId !== undefined) this.#dirty.add(link.peerNetnsId);
  }

  #deleteLink(ifindex: number): void {
    if (this.#index.deleteLink(ifindex)) this.#linksChanged = true;
  }

  #rescan(): void {
    const { told, untold } = RESCAN_MS;
    const pauseMs = this.#addressWatch.allNamespaces ? told : untold;
    this.#rescanNotBeforeMs = this.#options.clock.monotonicMs() + pauseMs;
    const gone = new Set([...this.#index.links()].map(({ ifindex }) => ifindex));
    for (const link of listLinks()) {
      gone.delete(link.ifindex);
      this.#setLink(link);
    }
    for (const ifindex of gone) this.#deleteLink(ifindex);
    this.#ownDirty = true;
    this.#readDirty();
  }

  #readDirty(): void {
    if (this.#ownDirty) this.#readOwn();
    if (this.#dirty.size > 0) {
      const reachable = this.#index.reachable();
      for (const netnsId of this.#dirty) if (reachable.has(netnsId)) this.#readNamespace(netnsId);
      this.#dirty.clear();
    }
    if (!this.#linksChanged) return;
    this.#linksChanged = false;
    this.#changed = true;
    this.#index.prune();
  }

  #readOwn(): void {
    this.#ownDirty = false;
    const own = new Set(namespaceAddresses(this.#asking).addresses.map(({ ip }) => ip));
    if (own.size !== this.#own.size || [...own].some((ip) => !this.#own.has(ip))) this.#changed = true;
    this.#own = own;
  }

  #readNamespace(netnsId: number): void {
    const { addresses, error } = namespaceAddresses(this.#asking, netnsId);
    // EINVAL: it has gone in the meantime, with all that it had.
    if (error !== 0 && error !== -EINVAL) this.#opaque.add(netnsId);
    else this.#opaque.delete(netnsId);
    if (this.#index.setAddresses(netnsId, error === 0 ? addresses : [])) this.#changed = true;
  }
}

const EINVAL = 22;
