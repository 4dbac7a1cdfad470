/**
 * Ends connected UDP sockets that a redirect has come too late for, so that their processes connect again and are
 * redirected: what was connected to the service's address before there was a local backend, or before our programs, asks
 * the service for as long as it lives. Only on request, because the process sees an error for it.
 * Must stay true: it happens once, when the redirect becomes active in a namespace, and only after a connect of our own
 * there has been redirected; whoever serves is left alone (a cache that asks the service's other backends must not lose
 * its questions to them), and so is everything that is not a connected UDP socket.
 * Deliberately absent: sockets of pods that are connected to the service's address. Their packets are redirected one by
 * one at the pod's interface, so they bypass nothing.
 */
import { setImmediate } from 'node:timers/promises';
import { errorText } from '../../fault/app-error.ts';
import { type Ip, ipFromBytes } from '../../net/ip.ts';
import { formatAddressPort, PROTOCOL_NUMBERS } from '../../net/port.ts';
import { type BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import {
  type ConnectedSocket,
  connectedUdpSockets,
  endUdpSocket,
  servingSockets,
} from '../../sys/netlink/sock-diag.ts';
import { insideNamespace } from '../../sys/netns/namespaces.ts';
import { type Backend, decodeBackend, decodeFrontendKey } from '../kernel/abi.gen.ts';
import type { ServedNamespace } from './caller-table.ts';
import type { OtherBackends, SocketPlace } from './other-backends.ts';
import { backendsOf, hasHeartbeat, isServing, type RedirectMaps } from './redirect-state.ts';
import { decodeServerKey, decodeSocketPair, encodeConnectionKey } from './socket-abi.gen.ts';
import { isRedirectedFromHere } from './try-connect.ts';

export interface SocketMoverOptions {
  readonly maps: RedirectMaps;
  /** Which sockets our programs redirected, by cookie. */
  readonly connections: BpfMap;
  /** Who serves in the node's own network, by cgroup. */
  readonly servers: BpfMap;
  /** Brings `servers` up to date: one that was replaced a moment ago has another cgroup, and must not lose its sockets. */
  readonly refreshServers: () => void;
  readonly served: () => readonly ServedNamespace[];
  /** Whether others have programs at connect: without any, a socket is connected to where its process wanted it. */
  readonly hasTranslators: () => boolean;
  readonly otherBackends: OtherBackends;
  /** The cgroups that the programs reach; undefined: all. */
  readonly reached: () => ReadonlySet<bigint> | undefined;
  /** From then on the maps are not to be touched. */
  readonly isClosed: () => boolean;
  /** CLOCK_MONOTONIC. */
  readonly nowNs: () => bigint;
}

export interface MoveResult {
  readonly moved: number;
  /** Why sockets could not be looked at or ended, each reason once; not those that were gone already. */
  readonly refused: readonly string[];
}

/** A frontend that leads to somebody, and where else its sockets may be. */
interface ActiveRedirect {
  readonly name: string;
  readonly frontend: SocketPlace;
  readonly backends: readonly Backend[];
}

export class SocketMover {
  readonly #options: SocketMoverOptions;
  /** Redirects that have been active since sockets were looked at for them, by namespace and frontend. */
  #settled: ReadonlySet<string> = new Set();

  /** The maps stay the caller's. */
  constructor(options: SocketMoverOptions) {
    this.#options = options;
  }

  /** Looks where a redirect has become active since the last time; one namespace at a time, with other work in between. */
  async look(): Promise<MoveResult> {
    const { served, isClosed } = this.#options;
    const active = this.#activeRedirects();
    const settled = new Set<string>();
    const outcomes: string[] = [];
    for (const caller of active.length === 0 ? [] : served()) {
      const nameHere = ({ name }: ActiveRedirect) => `${caller.cookie} ${name}`;
      const here = active.filter((redirect) => this.#mayLead(redirect, caller));
      const fresh = here.filter((redirect) => !this.#settled.has(nameHere(redirect)));
      const { done, ended } = fresh.length === 0 ? NOTHING : this.#moveIn(caller, fresh);
      outcomes.push(...ended);
      for (const redirect of here)
        if (!fresh.includes(redirect) || done.has(redirect)) settled.add(nameHere(redirect));
      if (fresh.length === 0) continue;
      await setImmediate();
      if (isClosed()) break;
    }
    this.#settled = settled;
    const refused = outcomes.filter((outcome) => outcome !== 'OK' && outcome !== 'ENOENT');
    return { moved: outcomes.filter((outcome) => outcome === 'OK').length, refused: [...new Set(refused)] };
  }

  #activeRedirects(): readonly ActiveRedirect[] {
    const { maps, nowNs } = this.#options;
    const now = nowNs();
    return maps.frontends.keys().flatMap((key) => {
      const { address, port, protocol } = decodeFrontendKey(new DataView(key.buffer));
      if (protocol !== PROTOCOL_NUMBERS.UDP) return [];
      const backends = backendsOf(maps, key);
      if (!backends.some(({ health }) => isServing(maps, health, now))) return [];
      const frontend = { address: ipFromBytes(address), port };
      return [{ name: placeName(frontend), frontend, backends }];
    });
  }

  /** As the programs have it: from a pod's namespace a backend is known to live by its heartbeat alone. */
  #mayLead({ backends }: ActiveRedirect, { netnsId }: ServedNamespace): boolean {
    return netnsId < 0 || backends.some(({ health }) => hasHeartbeat(this.#options.maps, health));
  }

  /** What is not `done` is for the next time: nothing says yet that connecting again would help, or whom to spare. */
  #moveIn(caller: ServedNamespace, fresh: readonly ActiveRedirect[]): Moves {
    const servers = this.#serversIn(caller);
    if (servers === undefined) return NOTHING;
    try {
      return insideNamespace(caller.namespace, () => this.#moveHere(caller, servers, fresh)) ?? NOTHING;
    } catch (error) {
      return { done: new Set(), ended: [errorText(error)] };
    }
  }

  #moveHere(caller: ServedNamespace, servers: ReadonlySet<bigint>, fresh: readonly ActiveRedirect[]): Moves {
    const { connections, otherBackends } = this.#options;
    const done = new Set<ActiveRedirect>();
    const wanted = new Map<string, SocketPlace>();
    const translated = new Map<string, SocketPlace>();
    for (const redirect of fresh) {
      const { frontend, backends } = redirect;
      const others = otherBackends(frontend);
      if (others === undefined || !isRedirectedFromHere(connections, frontend)) continue;
      done.add(redirect);
      if (caller.netnsId < 0) wanted.set(placeName(frontend), frontend);
      const local = new Set(
        backends.map(({ address, port }) => placeName({ address: ipFromBytes(address), port })),
      );
      for (const other of this.#options.hasTranslators() ? others : [])
        if (!local.has(placeName(other))) translated.set(placeName(other), frontend);
    }
    if (wanted.size + translated.size === 0) return { done, ended: [] };
    const reached = this.#options.reached();
    const serving = translated.size === 0 ? [] : servingSockets();
    const bypassing = connectedUdpSockets().filter((socket) => {
      if (servers.has(socket.cgroupId) || this.#isRedirected(socket)) return false;
      if (reached?.has(socket.cgroupId) === false) return false;
      const peer = placeName({ address: socket.peer, port: socket.peerPort });
      const frontend = translated.get(peer);
      return (
        wanted.has(peer) ||
        (frontend !== undefined && !isServer(serving, { caller, socket, port: frontend.port }))
      );
    });
    return { done, ended: bypassing.map(endUdpSocket) };
  }

  #isRedirected({ cookie, peer, peerPort }: ConnectedSocket): boolean {
    const value = this.#options.connections.lookup(encodeConnectionKey({ cookie }));
    if (value === undefined) return false;
    const { backend, backendPort } = decodeSocketPair(value);
    return backendPort === peerPort && ipFromBytes(backend) === peer;
  }

  /**
   * The cgroups of backends in this namespace. Undefined: it is a backend's pod, or a backend of the node's own network
   * is not known by its cgroup, so that anybody here might be one.
   */
  #serversIn({ netnsId }: ServedNamespace): ReadonlySet<bigint> | undefined {
    const { maps, servers, refreshServers } = this.#options;
    refreshServers();
    const known = servers.keys().map((key) => decodeServerKey(new DataView(key.buffer)));
    const names = new Set(
      known.map(({ address, port, protocol }) => `${protocol} ${ipFromBytes(address)} ${port}`),
    );
    for (const key of maps.backends.keys()) {
      const value = maps.backends.lookup(u32Bytes(new DataView(key.buffer).getUint32(0, true)));
      if (value === undefined) continue;
      const { address, port, protocol, netnsId: home } = decodeBackend(value);
      if (netnsId >= 0 ? home !== netnsId : home >= 0 || protocol !== PROTOCOL_NUMBERS.UDP) continue;
      if (netnsId >= 0 || !names.has(`${protocol} ${ipFromBytes(address)} ${port}`)) return undefined;
    }
    return new Set(netnsId >= 0 ? [] : known.map(({ cgroupId }) => cgroupId));
  }
}

interface Moves {
  readonly done: ReadonlySet<ActiveRedirect>;
  readonly ended: readonly string[];
}

const NOTHING: Moves = { done: new Set(), ended: [] };

/**
 * Is the socket of somebody who answers DNS, too? Such a one (a cache that is ready later or leaves, CoreDNS) mostly
 * wants the backend that it is connected to. In a pod all processes are taken for one.
 */
function isServer(serving: ReturnType<typeof servingSockets>, { caller, socket, port }: Asker): boolean {
  return serving.some(
    (each) =>
      each.protocol === 'udp' &&
      (each.port === port || each.port === socket.peerPort) &&
      (caller.netnsId >= 0 || each.cgroupId === socket.cgroupId),
  );
}

interface Asker {
  readonly caller: ServedNamespace;
  readonly socket: ConnectedSocket;
  /** Of the frontend. */
  readonly port: number;
}

function placeName({ address, port }: { readonly address: Ip; readonly port: number }): string {
  return formatAddressPort(address, port);
}
