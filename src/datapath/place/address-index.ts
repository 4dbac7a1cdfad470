/**
 * Which veth leads to which address: what the kernel said about links and about the addresses of the namespaces behind
 * them, put together. Pure: knows neither sockets nor time. It holds as many rows as there are links and addresses.
 */
import type { Ip } from '../../net/ip.ts';
import type { NamespaceAddress } from '../../sys/netlink/addresses.ts';
import type { LinkAnswer } from '../../sys/netlink/links.ts';
import type { Location } from './location.ts';

/** A veth of the host whose other end has the address, or at least is in the namespace that has it. */
export interface Candidate extends Location {
  /** The address is on the veth's other end itself, not on another interface there. */
  readonly exact: boolean;
  readonly up: boolean;
}

export class AddressIndex {
  readonly #links = new Map<number, LinkAnswer>();
  readonly #namespaces = new Map<number, readonly NamespaceAddress[]>();
  /** The namespaces that have it, with the interface there. */
  readonly #owners = new Map<Ip, Map<number, number>>();

  link(ifindex: number): LinkAnswer | undefined {
    return this.#links.get(ifindex);
  }

  links(): IterableIterator<LinkAnswer> {
    return this.#links.values();
  }

  /** True when it says anything that leads somewhere else than before. */
  setLink(link: LinkAnswer): boolean {
    const before = this.#links.get(link.ifindex);
    this.#links.set(link.ifindex, link);
    if (!isPodVeth(link) && (before === undefined || !isPodVeth(before))) return false;
    return before === undefined || PLACING.some((field) => before[field] !== link[field]);
  }

  deleteLink(ifindex: number): boolean {
    const before = this.#links.get(ifindex);
    this.#links.delete(ifindex);
    return before !== undefined && isPodVeth(before);
  }

  /** Namespaces that at least one veth leads to. */
  reachable(): ReadonlySet<number> {
    const found = new Set<number>();
    for (const link of this.#links.values())
      if (isPodVeth(link) && link.peerNetnsId !== undefined) found.add(link.peerNetnsId);
    return found;
  }

  /** The whole truth about one namespace; true when it differs from what was known. An empty one is forgotten. */
  setAddresses(netnsId: number, addresses: readonly NamespaceAddress[]): boolean {
    const usable = addresses.filter(({ ip, linkLocal }) => !linkLocal && !isLoopback(ip));
    const before = this.#namespaces.get(netnsId) ?? [];
    if (keyOf(before) === keyOf(usable)) return false;
    for (const { ip } of before) this.#forget(ip, netnsId);
    this.#namespaces.delete(netnsId);
    if (usable.length > 0) this.#namespaces.set(netnsId, usable);
    for (const { ip, ifindex } of usable) {
      const owners = this.#owners.get(ip) ?? new Map<number, number>();
      this.#owners.set(ip, owners.set(netnsId, ifindex));
    }
    return true;
  }

  /** Drops namespaces that no veth leads to any more. */
  prune(): void {
    const keep = this.reachable();
    const gone = [...this.#namespaces.keys()].filter((netnsId) => !keep.has(netnsId));
    for (const netnsId of gone) this.setAddresses(netnsId, []);
  }

  /** Best first: the address on the veth's own other end, an interface that is up, the newest. */
  candidates(address: Ip): readonly Candidate[] {
    const owners = this.#owners.get(address);
    if (owners === undefined) return [];
    const found: Candidate[] = [];
    for (const link of this.#links.values()) {
      const { ifindex, name: ifname, peerNetnsId: netnsId, up } = link;
      const there = netnsId === undefined || !isPodVeth(link) ? undefined : owners.get(netnsId);
      if (netnsId === undefined || there === undefined) continue;
      found.push({ ifindex, ifname, netnsId, up, exact: there === link.peerIfindex });
    }
    return found.sort((a, b) => rank(b) - rank(a) || b.ifindex - a.ifindex);
  }

  #forget(ip: Ip, netnsId: number): void {
    const owners = this.#owners.get(ip);
    owners?.delete(netnsId);
    if (owners?.size === 0) this.#owners.delete(ip);
  }
}

/** What decides where a link leads. */
const PLACING = ['name', 'kind', 'peerIfindex', 'peerNetnsId', 'up'] as const;

function isPodVeth(link: LinkAnswer): boolean {
  return link.kind === 'veth' && link.peerNetnsId !== undefined;
}

function rank({ exact, up }: Candidate): number {
  return (exact ? 2 : 0) + (up ? 1 : 0);
}

function isLoopback(ip: Ip): boolean {
  return ip === '::1' || ip.startsWith('127.');
}

function keyOf(addresses: readonly NamespaceAddress[]): string {
  return addresses
    .map(({ ip, ifindex }) => `${ip}%${ifindex}`)
    .sort()
    .join(' ');
}
