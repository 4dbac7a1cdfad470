/**
 * Ends connected UDP sockets whose backend is gone: the kernel asks nobody again for a socket that is connected, so it
 * would send to nowhere for as long as its process lives. Exactly those: the programs note each socket that they send to
 * a backend by its cookie, and what they noted must name the peer that the socket has now. Unconnected sockets and TCP
 * are never touched: the former are redirected anew with each datagram, the latter hear it from their peer.
 * Cheap while nothing is stale: only the list of noted sockets is read then.
 */
import { setImmediate } from 'node:timers/promises';
import { errorText } from '../../fault/app-error.ts';
import { ipFromBytes } from '../../net/ip.ts';
import type { BpfMap } from '../../sys/bpf-map.ts';
import { type ConnectedSocket, connectedUdpSockets, endUdpSocket } from '../../sys/netlink/sock-diag.ts';
import { insideNamespace, type NetNamespace } from '../../sys/netns/namespaces.ts';
import { type RedirectMaps, stillHolds } from './redirect-state.ts';
import {
  decodeConnectionKey,
  decodeSocketPair,
  encodeConnectionKey,
  type SocketPair,
} from './socket-abi.gen.ts';

export interface StaleSocketsOptions {
  readonly maps: RedirectMaps;
  /** Which sockets are connected to a backend, by cookie. */
  readonly connections: BpfMap;
  /** Where to look. Asked only when something is stale. */
  readonly namespaces: () => readonly NetNamespace[];
  /** From then on the maps are not to be touched. */
  readonly isClosed: () => boolean;
  /** CLOCK_MONOTONIC. */
  readonly nowNs: () => bigint;
}

export interface SweepResult {
  readonly ended: number;
  /** Why sockets could not be looked at or ended, each reason once; not those that were gone already. */
  readonly refused: readonly string[];
}

/** Looks once through all namespaces, one at a time, with other work of this thread in between. */
export async function endStaleSockets(options: StaleSocketsOptions): Promise<SweepResult> {
  const stale = staleConnections(options);
  const outcomes: string[] = [];
  if (stale.size === 0) return { ended: 0, refused: [] };
  for (const namespace of options.namespaces()) {
    outcomes.push(...endIn(namespace, stale));
    await setImmediate();
    if (options.isClosed()) break;
  }
  const refused = outcomes.filter((outcome) => outcome !== 'OK' && outcome !== 'ENOENT');
  // What was nowhere to be found was closed while no program was there to note it.
  if (refused.length === 0 && !options.isClosed()) forget(options.connections, stale);
  return { ended: outcomes.filter((outcome) => outcome === 'OK').length, refused: [...new Set(refused)] };
}

/** Whatever their backends do; for when nobody will look after them any more. What cannot be ended stays. */
export function endAllSockets(connections: BpfMap, namespaces: readonly NetNamespace[]): void {
  const all = notedSockets(connections);
  if (all.size === 0) return;
  for (const namespace of namespaces) endIn(namespace, all);
}

function staleConnections({
  maps,
  connections,
  nowNs,
}: StaleSocketsOptions): ReadonlyMap<bigint, SocketPair> {
  const now = nowNs();
  return new Map([...notedSockets(connections)].filter(([, pair]) => !stillHolds(maps, pair, now)));
}

/** By cookie. */
function notedSockets(connections: BpfMap): ReadonlyMap<bigint, SocketPair> {
  const noted = new Map<bigint, SocketPair>();
  for (const key of connections.keys()) {
    const value = connections.lookup(key);
    if (value === undefined) continue;
    noted.set(decodeConnectionKey(new DataView(key.buffer)).cookie, decodeSocketPair(value));
  }
  return noted;
}

/** One that may not be entered keeps nobody from the others. */
function endIn(namespace: NetNamespace, stale: ReadonlyMap<bigint, SocketPair>): readonly string[] {
  try {
    return insideNamespace(namespace, () => endHere(stale)) ?? [];
  } catch (error) {
    return [errorText(error)];
  }
}

/** In the namespace of this thread. */
function endHere(stale: ReadonlyMap<bigint, SocketPair>): readonly string[] {
  return connectedUdpSockets()
    .filter((socket) => isPeer(stale.get(socket.cookie), socket))
    .map(endUdpSocket);
}

/** False when it has connected elsewhere since, or is not noted at all. */
function isPeer(pair: SocketPair | undefined, { peer, peerPort }: ConnectedSocket): boolean {
  return pair !== undefined && pair.backendPort === peerPort && ipFromBytes(pair.backend) === peer;
}

/** One that has been connected again meanwhile is noted anew, and stays. */
function forget(connections: BpfMap, stale: ReadonlyMap<bigint, SocketPair>): void {
  for (const [cookie, { seenNs }] of stale) {
    const key = encodeConnectionKey({ cookie });
    const value = connections.lookup(key);
    if (value !== undefined && decodeSocketPair(value).seenNs === seenNs) connections.delete(key);
  }
}
