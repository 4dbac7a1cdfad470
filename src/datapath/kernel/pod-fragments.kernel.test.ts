/** Answers in pieces get the asked address; queries in pieces, and all that is odd, are left alone. Needs root. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FAMILIES, type Family, IFINDEX, IPV4, IPV6, ProgramRig } from '../testing/program-rig.ts';
import { fragment, reassemble } from '../testing/test-fragments.ts';
import { buildIcmpError, buildPacket, type PacketShape, readPacket } from '../testing/test-packet.ts';
import { PASS_ON, REDIRECTED } from '../testing/test-programs.ts';

const LARGE = Uint8Array.from({ length: 4001 }, (_, i) => (i * 7) & 0xff);
const PIECE_BYTES = 1400;

let rig: ProgramRig;
let ids = 1000;

/** The pieces of the answer to a query that was redirected before, as they leave the backend. */
const largeAnswer = (family: Family, over: Partial<PacketShape> = {}) => {
  const asked = rig.query(family);
  rig.programs.run('from_endpoint', asked);
  const answer = buildPacket(rig.answer(family, asked, { payload: LARGE, ...over }));
  return { asked, pieces: fragment(answer, PIECE_BYTES, ++ids) };
};
const leaves = (pieces: readonly Uint8Array[]) =>
  pieces.map((piece) => rig.programs.run('from_endpoint', piece));

beforeAll(async () => {
  rig = await ProgramRig.open('fragments');
});
afterAll(() => rig.close());
beforeEach(() => rig.reset());

describe.each(FAMILIES)('an answer in pieces over $name', ({ family }) => {
  test.each([
    { name: 'with a checksum', over: {} },
    { name: 'without one', over: { noChecksum: true } },
  ])('is whole again at the client, from the address it asked ($name)', ({ over }) => {
    const { asked, pieces } = largeAnswer(family, over);
    expect(pieces).toHaveLength(3);
    const results = leaves(pieces);
    expect(results.map(({ verdict }) => verdict)).toEqual([REDIRECTED, REDIRECTED, REDIRECTED]);
    const heard = readPacket(reassemble(results.map(({ packet }) => packet)));
    const ends = { source: family.vip, sourcePort: 53, destination: family.client };
    expect(heard).toMatchObject({ ...ends, destinationPort: asked.sourcePort, payload: LARGE });
    // RFC 8200 section 8.1: without a checksum it is no IPv6 datagram, and stays none.
    expect(heard.intact).toBe(!('noChecksum' in over) || family === IPV4);
    expect(heard.noChecksum).toBe('noChecksum' in over);
  });

  test('every piece of IPv4 has a right header', () => {
    for (const { packet } of leaves(largeAnswer(family).pieces)) expect(hasIntactHeader(packet)).toBe(true);
  });

  test('keeps a wrong checksum wrong by the same amount', () => {
    const { pieces } = largeAnswer(family);
    const whole = reassemble(pieces);
    const at = whole.length - 1;
    whole[at] = (whole[at] ?? 0) ^ 0x40;
    const results = leaves(fragment(whole, PIECE_BYTES, ++ids));
    const heard = reassemble(results.map(({ packet }) => packet));
    expect(readPacket(heard)).toMatchObject({ source: family.vip, intact: false });
    heard[at] = (heard[at] ?? 0) ^ 0x40;
    expect(readPacket(heard).intact).toBe(true);
  });

  test('through the stack it is translated where it reaches the client', () => {
    const { pieces } = largeAnswer(family);
    const results = pieces.map((piece) => rig.programs.run('to_endpoint', piece));
    expect(results.map(({ verdict }) => verdict)).toEqual([PASS_ON, PASS_ON, PASS_ON]);
    expect(readPacket(reassemble(results.map(({ packet }) => packet)))).toMatchObject({
      source: family.vip,
      intact: true,
    });
  });

  test('later pieces of anything else are left alone: of another id, and those that overtake the first', () => {
    const { pieces } = largeAnswer(family);
    const [first, ...later] = pieces;
    for (const piece of later) {
      expect(rig.programs.run('from_endpoint', piece)).toEqual({ verdict: PASS_ON, packet: piece });
    }
    if (first === undefined) throw new Error('No first piece');
    rig.programs.run('from_endpoint', first);
    const { pieces: others } = largeAnswer(family);
    for (const piece of others.slice(1)) {
      expect(rig.programs.run('from_endpoint', piece)).toEqual({ verdict: PASS_ON, packet: piece });
    }
  });

  test('another pod cannot send pieces in its name', () => {
    const { pieces } = largeAnswer(family);
    const [first, second] = pieces;
    if (first === undefined || second === undefined) throw new Error('Too few pieces');
    rig.programs.run('from_endpoint', first);
    rig.programs.endpoints.write([family.alive], IFINDEX + 1);
    expect(rig.programs.run('from_endpoint', second)).toEqual({ verdict: PASS_ON, packet: second });
  });

  test('pieces of a direct conversation with the backend pass untouched', () => {
    const asked = rig.query(family, { destination: family.alive });
    rig.programs.run('from_endpoint', asked);
    const answer = buildPacket(rig.answer(family, asked, { payload: LARGE }));
    for (const piece of fragment(answer, PIECE_BYTES, ++ids)) {
      expect(rig.programs.run('from_endpoint', piece)).toEqual({ verdict: PASS_ON, packet: piece });
    }
  });

  test.each(['from_endpoint', 'to_endpoint'] as const)(
    'an id that comes round for a direct conversation is not taken for the answer before (%s)',
    (program) => {
      const { pieces } = largeAnswer(family);
      for (const piece of pieces) rig.programs.run(program, piece);
      const asked = rig.query(family, { destination: family.alive });
      rig.programs.run('from_endpoint', asked);
      const answer = buildPacket(rig.answer(family, asked, { payload: LARGE }));
      for (const piece of fragment(answer, PIECE_BYTES, ids)) {
        expect(rig.programs.run(program, piece)).toEqual({ verdict: PASS_ON, packet: piece });
      }
    },
  );

  test('a query in pieces goes its ordinary way, whole', () => {
    const before = rig.programs.counters().fellBack.fragment;
    for (const piece of fragment(buildPacket(rig.query(family, { payload: LARGE })), PIECE_BYTES, ++ids)) {
      expect(rig.programs.run('from_endpoint', piece)).toEqual({ verdict: PASS_ON, packet: piece });
    }
    expect(rig.programs.counters().fellBack.fragment).toBe(before + 1n);
  });
});

describe('a query that is odd is left as it is', () => {
  /** RFC 8200 section 4.3: a hop-by-hop header of 8 bytes, padded, before the transport header. */
  const withHopByHop = (packet: Uint8Array) => {
    const extension = Uint8Array.of(packet[20] ?? 0, 0, 1, 4, 0, 0, 0, 0);
    const frame = Uint8Array.from(Buffer.concat([packet.subarray(0, 54), extension, packet.subarray(54)]));
    const view = new DataView(frame.buffer);
    view.setUint8(20, 0);
    view.setUint16(18, view.getUint16(18) + extension.length);
    return frame;
  };
  test.each([
    { name: 'IPv4 options', make: () => buildPacket(rig.query(IPV4, { options: 8 })) },
    { name: 'an IPv6 hop-by-hop header', make: () => withHopByHop(buildPacket(rig.query(IPV6))) },
    { name: 'the longest IPv4 header', make: () => buildPacket(rig.query(IPV4, { options: 40 })) },
    { name: 'no more than half a UDP header', make: () => buildPacket(rig.query(IPV4)).slice(0, 38) },
  ])('$name', ({ make }) => {
    const packet = make();
    expect(rig.programs.run('from_endpoint', packet)).toEqual({ verdict: PASS_ON, packet });
  });
});

describe('an ICMP error is left as it is, on both sides', () => {
  const errors = [
    { name: 'port unreachable', type: 3, code: 3 },
    { name: 'fragmentation needed', type: 3, code: 4 },
  ];
  test.each(errors)('$name', ({ type, code }) => {
    const asked = rig.query(IPV4);
    const { packet: delivered } = rig.programs.run('from_endpoint', asked);
    const fromBackend = buildIcmpError({ from: IPV4.alive, to: IPV4.client, type, code, quoted: delivered });
    expect(rig.programs.run('from_endpoint', fromBackend)).toEqual({ verdict: PASS_ON, packet: fromBackend });
    expect(rig.programs.run('to_endpoint', fromBackend)).toEqual({ verdict: PASS_ON, packet: fromBackend });
  });
});

function hasIntactHeader(packet: Uint8Array): boolean {
  if (packet[14] !== 0x45) return true;
  let sum = 0;
  for (let i = 14; i < 34; i += 2) sum += ((packet[i] ?? 0) << 8) | (packet[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum === 0xffff;
}
