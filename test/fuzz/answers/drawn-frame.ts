/**
 * Draws the frames in which queries come: whole ones as pods send them, and all that a raw socket can make of them. Only of
 * `whole` and `no checksum` may anything be answered; `wrong checksum` may be, with a checksum that is wrong as well.
 */

import { buildPacket } from '../../../src/datapath/testing/test-packet.ts';
import type { Ip } from '../../../src/net/ip.ts';
import type { Random } from '../random.ts';

export interface Ends {
  readonly source: Ip;
  readonly sourcePort: number;
  readonly destination: Ip;
  readonly destinationPort: number;
}

export interface DrawnFrame {
  readonly kind: string;
  readonly bytes: Uint8Array;
}

const ETHERNET_BYTES = 14;
const IPV6_BYTES = 40;

type Draw = (random: Random, ends: Ends, payload: Uint8Array) => Uint8Array;

const UDP = { protocol: 'UDP' as const };
const isIpv4 = (frame: Uint8Array) => frame[12] === 0x08;
const udpAt = (frame: Uint8Array) => ETHERNET_BYTES + (isIpv4(frame) ? 20 : IPV6_BYTES);

const DRAWS: Readonly<Record<string, Draw>> = {
  'IP options': (random, ends, payload) =>
    ends.source.includes(':')
      ? extended(random, build(ends, payload), 0)
      : build(ends, payload, { options: 4 * (1 + random.below(10)) }),
  fragment: (random, ends, payload) =>
    ends.source.includes(':')
      ? extended(random, build(ends, payload), 44)
      : build(ends, payload, {
          fragment: random.pick([0x2000, 0x2001, 0x0001, 0x1fff, 0x3fff, random.below(0x3fff) + 1]),
        }),
  VLAN: (random, ends, payload) => {
    const frame = build(ends, payload);
    const tag = random.pick([
      [0x81, 0],
      [0x88, 0xa8],
    ]);
    return Uint8Array.from([
      ...frame.subarray(0, 12),
      ...tag,
      random.below(16),
      random.below(256),
      ...frame.subarray(12),
    ]);
  },
  'extension header': (random, ends, payload) =>
    extended(random, build(ends, payload), random.pick([0, 60, 43, 51, 135])),
  'UDP length': (random, ends, payload) => {
    const frame = build(ends, payload);
    const at = udpAt(frame) + 4;
    const length = ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
    setU16(frame, at, other(random, length));
    return frame;
  },
  'IP length': (random, ends, payload) => {
    const frame = build(ends, payload);
    const at = ETHERNET_BYTES + (isIpv4(frame) ? 2 : 4);
    setU16(frame, at, other(random, ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0)));
    return frame;
  },
  'wrong checksum': (random, ends, payload) => {
    const frame = build(ends, payload);
    const at = udpAt(frame) + 6;
    frame[at] = (frame[at] ?? 0) ^ (1 << random.below(8));
    // Zero would be none.
    if (frame[at] === 0 && frame[at + 1] === 0) frame[at + 1] = 1;
    return frame;
  },
  padded: (random, ends, payload) =>
    Uint8Array.from([...build(ends, payload), ...new Uint8Array(1 + random.below(60))]),
  cut: (random, ends, payload) => {
    const frame = build(ends, payload);
    // A test run takes nothing shorter than the IP header.
    return frame.slice(0, udpAt(frame) + random.below(frame.length - udpAt(frame)));
  },
  TCP: (_, ends, payload) => buildPacket({ ...ends, payload, protocol: 'TCP' }),
  'other port': (random, ends, payload) =>
    build({ ...ends, destinationPort: random.pick([0, 52, 54, 5353, 65_535]) }, payload),
};
const ODD_FRAMES = Object.keys(DRAWS);

/** Nine of ten are as pods send them. Stations are drawn, so that it is seen that they are swapped. */
export function drawFrame(random: Random, ends: Ends, payload: Uint8Array): DrawnFrame {
  const frame = draw(random, ends, payload);
  for (let i = 0; i < 12; i += 4) new DataView(frame.bytes.buffer).setUint32(i, random.next());
  return frame;
}

function draw(random: Random, ends: Ends, payload: Uint8Array): DrawnFrame {
  const which = random.below(20);
  if (which === 0) return { kind: 'no checksum', bytes: build(ends, payload, { noChecksum: true }) };
  const kind = which < 3 ? random.pick(ODD_FRAMES) : 'whole';
  return { kind, bytes: DRAWS[kind]?.(random, ends, payload) ?? build(ends, payload) };
}

function build(
  ends: Ends,
  payload: Uint8Array,
  over: { readonly options?: number; readonly fragment?: number; readonly noChecksum?: boolean } = {},
): Uint8Array {
  return buildPacket({ ...UDP, ...ends, payload, ...over });
}

/** RFC 8200 section 4: eight bytes in front of what comes next. An IPv4 frame gets a protocol that is not UDP. */
function extended(random: Random, frame: Uint8Array, header: number): Uint8Array {
  if (isIpv4(frame)) {
    frame[ETHERNET_BYTES + 9] = random.pick([0, 1, 41, 132, 136, 255]);
    return frame;
  }
  const at = ETHERNET_BYTES + IPV6_BYTES;
  const length = frame.length - at + 8;
  const body = header === 44 ? [17, 0, 0, random.pick([0, 1, 8, 9]), 0, 0, 0, 7] : [17, 0, 1, 4, 0, 0, 0, 0];
  const longer = Uint8Array.from([...frame.subarray(0, at), ...body, ...frame.subarray(at)]);
  setU16(longer, ETHERNET_BYTES + 4, length);
  longer[ETHERNET_BYTES + 6] = header;
  return longer;
}

function other(random: Random, length: number): number {
  const drawn = random.pick([length - 1, length + 1, 0, 8, 7, 65_535, random.below(65_536)]);
  return drawn === length ? length + 1 : drawn;
}

function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}
