/**
 * Ends connected UDP sockets whose backend is gone: the kernel asks nobody again for a socket that is connected, so it
 * would send to nowhere for as long as its process lives. Exactly those: what a program noted with the socket must name
 * the peer that the socket has now, and a socket is ended by its cookie. Unconnected sockets and TCP are never touched:
 * the former are redirected anew with each datagram, the latter hear it from their peer.
 */
import { setImmediate } from 'node:timers/promises';
import { type ConnectedSocket, connectedUdpSockets, endUdpSocket } from '../../sys/netlink/sock-diag.ts';
import { insideNamespace, type NetNamespace } from '../../sys/netns/namespaces.ts';
import { isPeer, type RedirectMaps, stillHolds } from './redirect-state.ts';
import { decodeSocketPair, SOCKET_PAIR_SIZE } from './socket-abi.gen.ts';

export interface StaleSocketsOptions {
  readonly maps: RedirectMaps;
  /** The map `sockets`. */
  readonly storageFd: number;
  /** Where to look. */
  readonly namespaces: () => readonly NetNamespace[];
  /** From then on the maps are not to be touched. */
  readonly isClosed: () => boolean;
  /** CLOCK_MONOTONIC. */
  readonly nowNs: () => bigint;
}

export interface SweepResult {
  readonly ended: number;
  /** Names of the errors of sockets that could not be ended; not those that were gone already. */
  readonly refused: readonly string[];
}

/** Looks once through all namespaces, one at a time, with other work of this thread in between. */
export async function endStaleSockets(options: StaleSocketsOptions): Promise<SweepResult> {
  const outcomes: string[] = [];
  for (const namespace of options.namespaces()) {
    if (options.isClosed()) break;
    outcomes.push(...(insideNamespace(namespace, () => endHere(options)) ?? []));
    await setImmediate();
  }
  const failed = outcomes.filter((outcome) => outcome !== 'OK' && outcome !== 'ENOENT');
  return { ended: outcomes.filter((outcome) => outcome === 'OK').length, refused: [...new Set(failed)] };
}

/** In the namespace of this thread, all at once. */
function endHere({ maps, storageFd, nowNs }: StaleSocketsOptions): readonly string[] {
  const now = nowNs();
  return connectedUdpSockets(storageFd)
    .filter((socket) => isStale(maps, socket, now))
    .map(endUdpSocket);
}

function isStale(maps: RedirectMaps, { peer, peerPort, storage }: ConnectedSocket, nowNs: bigint): boolean {
  if (storage.length < SOCKET_PAIR_SIZE) return false;
  const pair = decodeSocketPair(new DataView(storage.buffer, storage.byteOffset, storage.length));
  if (pair.backendPort === 0 || !isPeer(pair, { address: peer, port: peerPort })) return false;
  return !stillHolds(maps, pair, nowNs);
}
