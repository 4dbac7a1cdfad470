/** Test support: packets as bytes, built and taken apart by RFC 791, 8200, 768 and 9293, checksums included. */
import { type Ip, ipBytes, ipFamily, ipFromBytes } from '../../net/ip.ts';
import { PROTOCOL_NUMBERS, type Protocol } from '../../net/port.ts';

export interface PacketShape {
  readonly protocol: Protocol;
  readonly source: Ip;
  readonly sourcePort: number;
  readonly destination: Ip;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
  /** TCP only; default SYN. */
  readonly tcpFlags?: number;
  /** RFC 768: an IPv4 sender may leave the UDP checksum out. */
  readonly noChecksum?: boolean;
  /** IPv4 only: the flags and fragment offset field. */
  readonly fragment?: number;
  /** IPv4 only: bytes of options, a multiple of 4. */
  readonly options?: number;
}

export const TCP_SYN = 0x02;
export const TCP_ACK = 0x10;

const ETHERNET_BYTES = 14;
const IPV6_BYTES = 40;

export function buildPacket(shape: PacketShape): Uint8Array {
  const transport = buildTransport(shape);
  const ipv4 = ipFamily(shape.source) === 4;
  const ethernet = new Uint8Array(ETHERNET_BYTES).fill(2);
  new DataView(ethernet.buffer).setUint16(12, ipv4 ? 0x0800 : 0x86dd);
  const network = ipv4 ? buildIpv4(shape, transport.length) : buildIpv6(shape, transport.length);
  return Uint8Array.from(Buffer.concat([ethernet, network, transport]));
}

export interface ReadPacket extends PacketShape {
  /** Every checksum is right. */
  readonly intact: boolean;
  /** The transport checksum is left to the network card: it holds the sum of the pseudo-header, and that is right. */
  readonly partial: boolean;
}

/** What a receiver makes of it. */
export function readPacket(bytes: Uint8Array): ReadPacket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ipv4 = view.getUint16(12) === 0x0800;
  const l3 = ETHERNET_BYTES;
  const header = ipv4 ? (view.getUint8(l3) & 15) * 4 : IPV6_BYTES;
  const size = ipv4 ? 4 : 16;
  const at = l3 + (ipv4 ? 12 : 8);
  const source = ipFromBytes(bytes.slice(at, at + size));
  const destination = ipFromBytes(bytes.slice(at + size, at + 2 * size));
  const protocol: Protocol = view.getUint8(l3 + (ipv4 ? 9 : 6)) === PROTOCOL_NUMBERS.TCP ? 'TCP' : 'UDP';
  const transport = bytes.slice(l3 + header);
  const l4 = new DataView(transport.buffer);
  const noChecksum = protocol === 'UDP' && l4.getUint16(6) === 0;
  const pseudo = pseudoHeader(source, destination, protocol, transport.length);
  const sum = onesSum(pseudo, transport);
  const headerIntact = !ipv4 || onesSum(bytes.slice(l3, l3 + header)) === 0xffff;
  return {
    protocol,
    source,
    destination,
    sourcePort: l4.getUint16(0),
    destinationPort: l4.getUint16(2),
    payload: transport.slice(protocol === 'UDP' ? 8 : 20),
    noChecksum,
    ...(protocol === 'TCP' ? { tcpFlags: l4.getUint8(13) } : {}),
    partial: headerIntact && l4.getUint16(protocol === 'UDP' ? 6 : 16) === onesSum(pseudo),
    intact: headerIntact && ((noChecksum && ipv4) || sum === 0xffff),
  };
}

export interface IcmpError {
  readonly from: Ip;
  readonly to: Ip;
  readonly type: number;
  readonly code: number;
  /** The frame that the error is about. */
  readonly quoted: Uint8Array;
}

/** RFC 792: the error quotes the header of what it is about, and 8 bytes more. IPv4 only. */
export function buildIcmpError({ from, to, type, code, quoted }: IcmpError): Uint8Array {
  const message = Uint8Array.from(
    Buffer.concat([Uint8Array.of(type, code, 0, 0, 0, 0, 5, 220), quoted.subarray(14, 42)]),
  );
  new DataView(message.buffer).setUint16(2, checksum(message));
  const shape = {
    protocol: 'UDP',
    source: from,
    destination: to,
    sourcePort: 0,
    destinationPort: 0,
  } as const;
  const header = buildIpv4({ ...shape, payload: message }, message.length);
  const view = new DataView(header.buffer);
  view.setUint8(9, 1);
  view.setUint16(10, 0);
  view.setUint16(10, checksum(header));
  const ethernet = Uint8Array.from([...new Uint8Array(12).fill(2), 8, 0]);
  return Uint8Array.from(Buffer.concat([ethernet, header, message]));
}

function buildTransport(shape: PacketShape): Uint8Array {
  const udp = shape.protocol === 'UDP';
  const header = udp ? 8 : 20;
  const bytes = new Uint8Array(header + shape.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, shape.sourcePort);
  view.setUint16(2, shape.destinationPort);
  if (udp) view.setUint16(4, bytes.length);
  else view.setUint16(12, 0x5000 | (shape.tcpFlags ?? TCP_SYN));
  bytes.set(shape.payload, header);
  if (shape.noChecksum) return bytes;
  const sum =
    0xffff & ~onesSum(pseudoHeader(shape.source, shape.destination, shape.protocol, bytes.length), bytes);
  view.setUint16(udp ? 6 : 16, sum === 0 && udp ? 0xffff : sum);
  return bytes;
}

function buildIpv4(shape: PacketShape, payload: number): Uint8Array {
  const bytes = new Uint8Array(20 + (shape.options ?? 0)).fill(1, 20);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x40 | (bytes.length / 4));
  view.setUint16(2, bytes.length + payload);
  view.setUint16(6, shape.fragment ?? 0x4000);
  view.setUint8(8, 64);
  view.setUint8(9, PROTOCOL_NUMBERS[shape.protocol]);
  bytes.set(ipBytes(shape.source), 12);
  bytes.set(ipBytes(shape.destination), 16);
  view.setUint16(10, 0xffff & ~onesSum(bytes));
  return bytes;
}

function buildIpv6(shape: PacketShape, payload: number): Uint8Array {
  const bytes = new Uint8Array(IPV6_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x60);
  view.setUint16(4, payload);
  view.setUint8(6, PROTOCOL_NUMBERS[shape.protocol]);
  view.setUint8(7, 64);
  bytes.set(ipBytes(shape.source), 8);
  bytes.set(ipBytes(shape.destination), 24);
  return bytes;
}

function pseudoHeader(source: Ip, destination: Ip, protocol: Protocol, length: number): Uint8Array {
  return Uint8Array.of(
    ...ipBytes(source),
    ...ipBytes(destination),
    0,
    PROTOCOL_NUMBERS[protocol],
    length >> 8,
    length,
  );
}

/** RFC 1071: what makes the sum of all parts right. */
export function checksum(...parts: readonly Uint8Array[]): number {
  return 0xffff & ~onesSum(...parts);
}

/** RFC 1071: 16-bit ones' complement sum of all parts, each padded to even length. */
function onesSum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
