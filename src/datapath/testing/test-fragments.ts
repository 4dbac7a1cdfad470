/** Test support: datagrams in pieces (RFC 791 section 3.2, RFC 8200 section 4.5), and whole again. */
import { checksum } from './test-packet.ts';

const ETHERNET_BYTES = 14;
const IPV6_BYTES = 40;
const FRAGMENT_BYTES = 8;
const NEXT_HEADER_FRAGMENT = 44;

/** `packet` is a frame without IP options; every piece but the last carries `size` bytes, a multiple of 8. */
export function fragment(packet: Uint8Array, size: number, id: number): readonly Uint8Array[] {
  const ipv4 = packet[ETHERNET_BYTES] === 0x45;
  const header = ETHERNET_BYTES + (ipv4 ? 20 : IPV6_BYTES);
  const pieces: Uint8Array[] = [];
  for (let at = header; at < packet.length; at += size) {
    const piece = packet.subarray(at, Math.min(at + size, packet.length));
    const more = at + size < packet.length;
    const head = packet.subarray(0, header);
    const offset = at - header;
    pieces.push(
      ipv4 ? ipv4Piece(head, piece, { offset, more, id }) : ipv6Piece(head, piece, { offset, more, id }),
    );
  }
  return pieces;
}

/** What a receiver makes of pieces in order: one frame. */
export function reassemble(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (first === undefined) throw new Error('No pieces');
  const ipv4 = first[ETHERNET_BYTES] === 0x45;
  const header = ETHERNET_BYTES + (ipv4 ? 20 : IPV6_BYTES);
  const skip = header + (ipv4 ? 0 : FRAGMENT_BYTES);
  const frame = Uint8Array.from(
    Buffer.concat([first.subarray(0, header), ...pieces.map((piece) => piece.subarray(skip))]),
  );
  const view = new DataView(frame.buffer);
  if (ipv4) {
    view.setUint16(ETHERNET_BYTES + 2, frame.length - ETHERNET_BYTES);
    view.setUint16(ETHERNET_BYTES + 6, 0);
    writeIpv4Checksum(view);
  } else {
    view.setUint16(ETHERNET_BYTES + 4, frame.length - header);
    view.setUint8(ETHERNET_BYTES + 6, first[header] ?? 0);
  }
  return frame;
}

interface Cut {
  readonly offset: number;
  readonly more: boolean;
  readonly id: number;
}

function ipv4Piece(head: Uint8Array, piece: Uint8Array, { offset, more, id }: Cut): Uint8Array {
  const frame = Uint8Array.from(Buffer.concat([head, piece]));
  const view = new DataView(frame.buffer);
  view.setUint16(ETHERNET_BYTES + 2, frame.length - ETHERNET_BYTES);
  view.setUint16(ETHERNET_BYTES + 4, id & 0xffff);
  view.setUint16(ETHERNET_BYTES + 6, (more ? 0x2000 : 0) | (offset / 8));
  writeIpv4Checksum(view);
  return frame;
}

function ipv6Piece(head: Uint8Array, piece: Uint8Array, { offset, more, id }: Cut): Uint8Array {
  const extension = new DataView(new ArrayBuffer(FRAGMENT_BYTES));
  extension.setUint8(0, head[ETHERNET_BYTES + 6] ?? 0);
  extension.setUint16(2, offset | (more ? 1 : 0));
  extension.setUint32(4, id);
  const frame = Uint8Array.from(Buffer.concat([head, new Uint8Array(extension.buffer), piece]));
  const view = new DataView(frame.buffer);
  view.setUint16(ETHERNET_BYTES + 4, FRAGMENT_BYTES + piece.length);
  view.setUint8(ETHERNET_BYTES + 6, NEXT_HEADER_FRAGMENT);
  return frame;
}

function writeIpv4Checksum(view: DataView): void {
  view.setUint16(ETHERNET_BYTES + 10, 0);
  const header = new Uint8Array(view.buffer, ETHERNET_BYTES, 20);
  view.setUint16(ETHERNET_BYTES + 10, checksum(header));
}
