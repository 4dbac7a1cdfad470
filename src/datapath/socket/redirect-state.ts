/**
 * Does what a socket was told at connect still hold? Read from the maps themselves, so that this and the programs can
 * never be of two minds. Only for sockets that were redirected, which are few.
 */

import { type BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import {
  type Backend,
  decodeBackend,
  decodeBeat,
  decodeFrontend,
  decodeFrontendSlots,
  decodeHealth,
  encodeFrontendKey,
} from '../kernel/abi.gen.ts';
import type { SocketPair } from './socket-abi.gen.ts';

export interface RedirectMaps {
  readonly frontends: BpfMap;
  readonly slots: BpfMap;
  readonly backends: BpfMap;
  readonly health: BpfMap;
  readonly beats: BpfMap;
}

/**
 * A process that is late for 400 ms gets no new questions; its connected clients are given up only after this, because
 * for them it is an error that they see.
 */
export const LATE_NS = 2_000_000_000n;

/** False when the frontend does not lead to that backend any more, or the backend is known not to serve. */
export function stillHolds(maps: RedirectMaps, pair: SocketPair, nowNs: bigint): boolean {
  const key = { address: pair.frontend, port: pair.frontendPort, protocol: pair.protocol };
  return backendsOf(maps, encodeFrontendKey(key)).some(({ address, port, health }) => {
    const same = port === pair.backendPort && Buffer.compare(address, pair.backend) === 0;
    return same && isServing(maps, health, nowNs);
  });
}

/** Where this frontend leads; nowhere when it is not redirected. */
export function backendsOf(maps: RedirectMaps, frontendKey: Uint8Array): readonly Backend[] {
  const frontend = maps.frontends.lookup(frontendKey);
  const slots = frontend && maps.slots.lookup(u32Bytes(decodeFrontend(frontend).id));
  if (slots === undefined) return [];
  const { count, backends } = decodeFrontendSlots(slots);
  return backends.slice(0, count).flatMap((id) => {
    const value = maps.backends.lookup(u32Bytes(id));
    return value === undefined ? [] : [decodeBackend(value)];
  });
}

/** By the row of its health: it is asked for one, in time or late. */
export function hasHeartbeat(maps: RedirectMaps, row: number): boolean {
  const value = row === 0 ? undefined : maps.health.lookup(u32Bytes(row));
  return value !== undefined && decodeHealth(value).seat !== 0;
}

/** By the row of its health: nothing is known against it. */
export function isServing(maps: RedirectMaps, row: number, nowNs: bigint): boolean {
  const value = row === 0 ? undefined : maps.health.lookup(u32Bytes(row));
  if (value === undefined) return true;
  const { seat, down } = decodeHealth(value);
  if (down !== 0) return false;
  const beat = seat === 0 ? undefined : maps.beats.lookup(u32Bytes(seat));
  if (beat === undefined) return true;
  const beating = decodeBeat(beat).atNs.filter((at) => at !== 0n);
  return beating.length > 0 && beating.every((at) => nowNs - at <= LATE_NS);
}
