/**
 * What a packet shows before its flows are put together: when it passed, and between which addresses and ports. Whoever asks
 * for history wants few of very many packets, and a look costs a hundredth of their flows. A look only ever says that none of
 * a packet's flows can be meant: what it lets pass is judged flow by flow.
 */
import { RECORD_AT, VERDICT_NUMBERS } from '../../datapath/packet-record.ts';
import { ipMappedBytes, parseIp } from '../../net/ip.ts';
import type { FlowFilter } from '../api.ts';
import type { LoggedPacket } from '../capture/packet-log.ts';

export interface PacketGlance {
  /** When it was seen, nanoseconds since the epoch. */
  readonly timeNs: bigint;
  /** The same of the query that it answers, if it does and has not got it in itself. */
  readonly askedNs: bigint;
  /** Of its source, its destination and what one of them was translated to: its flows have no others. */
  readonly ports: readonly number[];
  hasAddress(address: AddressWords): boolean;
}

/** The 16 bytes of an address, IPv4 mapped, as the machine reads them. */
export type AddressWords = Int32Array;

/** False: no flow of the packet can be meant. */
export type GlanceFilter = (glance: PacketGlance) => boolean;

const PORTS_AT = [RECORD_AT.sourcePort, RECORD_AT.destinationPort, RECORD_AT.translatedPort];
const ADDRESSES_AT = [RECORD_AT.source, RECORD_AT.destination, RECORD_AT.translated].map((at) => at >> 2);

/** Good as long as the packet is. */
export function glanceAt({ memory, at, latencyNs }: LoggedPacket, timeNs: bigint): PacketGlance {
  const { words, bytes } = memory;
  const start = at >> 2;
  const isWhole = bytes[at + RECORD_AT.verdict] === VERDICT_NUMBERS.answered;
  return {
    timeNs,
    askedNs: latencyNs > 0 && !isWhole ? timeNs - BigInt(Math.round(latencyNs)) : timeNs,
    ports: PORTS_AT.map((offset) => ((bytes[at + offset] ?? 0) << 8) | (bytes[at + offset + 1] ?? 0)),
    hasAddress: (address) =>
      ADDRESSES_AT.some((offset) => address.every((word, i) => words[start + offset + i] === word)),
  };
}

type Whitelist = readonly Pick<FlowFilter, (typeof PORT_FIELDS | typeof ADDRESS_FIELDS)[number]>[];

const PORT_FIELDS = ['source_port', 'destination_port'] as const;
const ADDRESS_FIELDS = ['source_ip', 'destination_ip'] as const;

/** Of filters that compile. Nothing: some filter has neither ports nor whole addresses, and any packet may be meant. */
export function compileGlance(whitelist: Whitelist = []): GlanceFilter | undefined {
  const filters = whitelist.map(glanceOf);
  const known = filters.filter((filter) => filter !== undefined);
  if (known.length === 0 || known.length < filters.length) return undefined;
  return (glance) => known.some((isPossible) => isPossible(glance));
}

function glanceOf(filter: Whitelist[number]): GlanceFilter | undefined {
  const ports = PORT_FIELDS.map((field) => (filter[field] ?? []).map(Number)).filter(isAsked);
  const addresses = ADDRESS_FIELDS.map((field) => (filter[field] ?? []).map(addressWords))
    .filter(isAsked)
    .flatMap((list) => (list.every((words) => words !== undefined) ? [list] : []));
  if (ports.length === 0 && addresses.length === 0) return undefined;
  return (glance) =>
    ports.every((wanted) => glance.ports.some((port) => wanted.includes(port))) &&
    addresses.every((wanted) => wanted.some((address) => glance.hasAddress(address)));
}

/** A field without values asks for nothing (proto3). */
function isAsked(values: readonly unknown[]): boolean {
  return values.length > 0;
}

/** Nothing for a prefix. */
function addressWords(text: string): AddressWords | undefined {
  const address = parseIp(text);
  return address === undefined ? undefined : new Int32Array(ipMappedBytes(address).slice().buffer);
}
