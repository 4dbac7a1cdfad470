/**
 * The redirect maps as the kernel has them at this moment, read entry by entry: what packets meet, whatever this process
 * believes. A slot whose backend is not there is told as such.
 */
import { ipFromBytes } from '../../net/ip.ts';
import { type Port, PROTOCOL_NUMBERS, PROTOCOLS, type Protocol, toPort } from '../../net/port.ts';
import type { BpfMap } from '../../sys/bpf-map.ts';
import { u32Bytes } from '../../sys/bpf-map.ts';
import { sourceRows } from '../answers/map-rows.ts';
import { type DumpedFrontend, type DumpedSlot, dumpedSource } from '../dump.ts';
import {
  decodeBackend,
  decodeFrontend,
  decodeFrontendKey,
  decodeFrontendSlots,
  FRONTEND_SKIP_FROM_BACKEND,
} from './abi.gen.ts';

export interface DumpedMaps {
  readonly frontends: BpfMap;
  readonly slots: BpfMap;
  readonly backends: BpfMap;
  readonly sources: BpfMap;
}

/** In no order. A frontend that goes while it is read is left out. */
export function dumpRedirects(maps: DumpedMaps): readonly DumpedFrontend[] {
  const sources = sourceRows(maps.sources);
  const rows: DumpedFrontend[] = [];
  for (const key of maps.frontends.keys()) {
    const value = maps.frontends.lookup(key);
    const tuple = tupleOf(decodeFrontendKey(new DataView(key.buffer)));
    if (value === undefined || tuple === undefined) continue;
    const { id, flags } = decodeFrontend(value);
    const slots = maps.slots.lookup(u32Bytes(id));
    const { count, backends } = slots === undefined ? { count: 0, backends: [] } : decodeFrontendSlots(slots);
    rows.push({
      ...tuple,
      id,
      skipFromBackend: (flags & FRONTEND_SKIP_FROM_BACKEND) !== 0,
      slots: backends.slice(0, count).map((backend) => slotOf(maps.backends, backend)),
      ...dumpedSource(sources.read(id)),
    });
  }
  return rows;
}

function slotOf(backends: BpfMap, id: number): DumpedSlot {
  const value = backends.lookup(u32Bytes(id));
  const backend = value === undefined ? undefined : tupleOf(decodeBackend(value));
  return backend === undefined ? { backendId: id } : { backendId: id, backend };
}

function tupleOf({
  address,
  port,
  protocol,
}: {
  readonly address: Uint8Array;
  readonly port: number;
  readonly protocol: number;
}): DumpedSlot['backend'] {
  const known: Port | undefined = toPort(port);
  const word: Protocol | undefined = PROTOCOLS.find((name) => PROTOCOL_NUMBERS[name] === protocol);
  if (known === undefined || word === undefined) return undefined;
  return { address: ipFromBytes(address), port: known, protocol: word };
}
