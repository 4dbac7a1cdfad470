/**
 * Test support: what may have become of a packet, judged from RFC 791, 768, 9293, 8200 and 1624 alone: it is the very
 * same, or one end of it is another and every checksum is off by as much as it was before.
 */
import { type Ip, ipFromBytes } from '../../net/ip.ts';

export interface End {
  readonly address: Ip;
  readonly port: number;
}

export interface Rules {
  /** What may stand in place of a destination. */
  readonly destinations: readonly End[];
  /** What may stand in place of a source. */
  readonly sources: readonly End[];
}

interface Layout {
  readonly source: number;
  readonly destination: number;
  readonly addressBytes: number;
  /** Of the IPv4 header; 0 for IPv6. */
  readonly headerChecksum: number;
  readonly transport: number;
  readonly protocol: number;
  /** It is a piece that has no ports. */
  readonly later: boolean;
}

const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const L3 = 14;
const UDP = 17;

/** In words what is wrong with `after`; undefined when nothing is. */
export function judgeTranslation(before: Uint8Array, after: Uint8Array, rules: Rules): string | undefined {
  if (before.length !== after.length) return `length changed from ${before.length} to ${after.length}`;
  if (before.every((byte, i) => byte === after[i])) return undefined;
  const layout = layoutOf(before);
  if (layout === undefined) return 'a packet of a shape that must be left alone was changed';
  const allowed = allowedBytes(layout);
  const wrong = before.findIndex((byte, i) => byte !== after[i] && !allowed.has(i));
  if (wrong >= 0) return `byte ${wrong} was changed`;
  return judgeEnds(before, after, layout, rules) ?? judgeChecksums(before, after, layout);
}

function judgeEnds(before: Uint8Array, after: Uint8Array, layout: Layout, rules: Rules): string | undefined {
  const changed = (at: number, size: number) =>
    Buffer.compare(before.subarray(at, at + size), after.subarray(at, at + size)) !== 0;
  const sourceChanged = changed(layout.source, layout.addressBytes);
  const destinationChanged = changed(layout.destination, layout.addressBytes);
  if (sourceChanged === destinationChanged) return 'not exactly one end was changed';
  const [at, ends, portAt] = sourceChanged
    ? [layout.source, rules.sources, layout.transport]
    : [layout.destination, rules.destinations, layout.transport + 2];
  const address = ipFromBytes(after.slice(at, at + layout.addressBytes));
  const end = ends.find((one) => one.address === address);
  if (end === undefined) return `${address} is nobody's`;
  if (layout.later) return undefined;
  const other = sourceChanged ? layout.transport + 2 : layout.transport;
  if (changed(other, 2)) return 'the port of the other end was changed';
  const port = word(after, portAt);
  return port === end.port ? undefined : `port ${port} does not belong to ${address}`;
}

function judgeChecksums(before: Uint8Array, after: Uint8Array, layout: Layout): string | undefined {
  const header = (packet: Uint8Array) => onesSum(packet, L3, L3 + IPV4_BYTES);
  if (layout.headerChecksum > 0 && header(before) !== header(after)) return 'the sum of the header moved';
  if (layout.later) return undefined;
  const checksumAt = layout.transport + (layout.protocol === UDP ? 6 : 16);
  if (layout.protocol === UDP && word(before, checksumAt) === 0)
    return word(after, checksumAt) === 0 ? undefined : 'a checksum was made up';
  const end = layout.destination + layout.addressBytes;
  // The length and the protocol of the pseudo-header are the same before and after.
  const sum = (packet: Uint8Array) =>
    fold(onesSum(packet, layout.source, end) + onesSum(packet, layout.transport, packet.length));
  return sum(before) === sum(after) ? undefined : 'the sum of the datagram moved';
}

function layoutOf(packet: Uint8Array): Layout | undefined {
  const type = word(packet, 12);
  if (type === 0x0800) {
    if (packet[L3] !== 0x45) return undefined;
    const later = (word(packet, L3 + 6) & 0x1fff) !== 0;
    const places = { source: L3 + 12, destination: L3 + 16, addressBytes: 4, headerChecksum: L3 + 10 };
    return { ...places, transport: L3 + IPV4_BYTES, protocol: packet[L3 + 9] ?? 0, later };
  }
  if (type !== 0x86dd || (packet[L3] ?? 0) >> 4 !== 6) return undefined;
  const next = packet[L3 + 6] ?? 0;
  const places = { source: L3 + 8, destination: L3 + 24, addressBytes: 16, headerChecksum: 0 };
  const transport = L3 + IPV6_BYTES;
  if (next !== 44) return { ...places, transport, protocol: next, later: false };
  const later = (word(packet, transport + 2) & 0xfff8) !== 0;
  return { ...places, transport: transport + 8, protocol: packet[transport] ?? 0, later };
}

function allowedBytes(layout: Layout): ReadonlySet<number> {
  const spans: [number, number][] = [
    [layout.source, layout.addressBytes],
    [layout.destination, layout.addressBytes],
  ];
  if (layout.headerChecksum > 0) spans.push([layout.headerChecksum, 2]);
  if (!layout.later) {
    spans.push([layout.transport, 4], [layout.transport + (layout.protocol === UDP ? 6 : 16), 2]);
  }
  return new Set(spans.flatMap(([at, size]) => Array.from({ length: size }, (_, i) => at + i)));
}

function word(packet: Uint8Array, at: number): number {
  return ((packet[at] ?? 0) << 8) | (packet[at + 1] ?? 0);
}

function onesSum(packet: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i += 2) sum += ((packet[i] ?? 0) << 8) | (i + 1 < to ? (packet[i + 1] ?? 0) : 0);
  return fold(sum);
}

/** 0 and 0xffff are the same number in ones' complement. */
function fold(sum: number): number {
  return sum % 0xffff;
}
