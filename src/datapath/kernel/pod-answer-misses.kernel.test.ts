/**
 * Queries that the packet program does not answer though it has the name: each goes on exactly as if there were no answers.
 * Needs root.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  A,
  AnswerRig,
  addressAnswer,
  CD,
  cookie,
  dnsQuery,
  OTHER_VIEW,
  RD,
  SHELF,
  VIEW,
} from '../testing/answer-rig.ts';
import { FAMILIES, IFINDEX, IPV4, IPV6 } from '../testing/program-rig.ts';
import { buildPacket, type PacketShape, readPacket } from '../testing/test-packet.ts';
import { PASS_ON, REDIRECTED } from '../testing/test-programs.ts';
import { ENDPOINT_ANSWERED, ENDPOINT_OBSERVE_ONLY } from './abi.gen.ts';

const NAME = ['www', 'example', 'org'];
const QUERY = dnsQuery({ labels: NAME });
const EMPTY = new Uint8Array();
let rig: AnswerRig;

beforeAll(async () => {
  rig = await AnswerRig.open('misses');
});

afterAll(() => rig.close());

beforeEach(() => {
  rig.reset();
  rig.put(addressAnswer(NAME));
});

const missed = () => rig.programs.counters().answersMissed;
const changed = (at: number, ...bytes: number[]) => {
  const query = Uint8Array.from(QUERY);
  query.set(bytes, at);
  return query;
};
const cookieOpt = (data: Uint8Array) => ({ options: [{ code: 10, data }] });

describe.each(FAMILIES)('over $name', ({ family }) => {
  test.each([
    { name: 'a response', query: dnsQuery({ labels: NAME, flags: 0x8000 | RD }) },
    { name: 'opcode 1', query: dnsQuery({ labels: NAME, flags: 0x0800 }) },
    { name: 'opcode 8', query: dnsQuery({ labels: NAME, flags: 0x4000 }) },
    { name: 'no question', query: dnsQuery({ labels: NAME, counts: [0, 0, 0, 0] }) },
    { name: 'two questions', query: dnsQuery({ labels: NAME, counts: [2, 0, 0, 0] }) },
    { name: '257 questions', query: dnsQuery({ labels: NAME, counts: [257, 0, 0, 0] }) },
    { name: 'an answer', query: dnsQuery({ labels: NAME, counts: [1, 1, 0, 0] }) },
    { name: 'an authority', query: dnsQuery({ labels: NAME, counts: [1, 0, 1, 0] }) },
    { name: 'two additionals', query: dnsQuery({ labels: NAME, opt: {}, counts: [1, 0, 0, 2] }) },
    { name: '257 additionals', query: dnsQuery({ labels: NAME, opt: {}, counts: [1, 0, 0, 257] }) },
    { name: 'an additional that is not there', query: dnsQuery({ labels: NAME, counts: [1, 0, 0, 1] }) },
    {
      name: 'an OPT record that is not counted',
      query: dnsQuery({ labels: NAME, opt: {}, counts: [1, 0, 0, 0] }),
    },
    { name: 'a byte behind the question', query: dnsQuery({ labels: NAME, behind: Uint8Array.of(0) }) },
    {
      name: 'a byte behind the OPT record',
      query: dnsQuery({ labels: NAME, opt: {}, behind: Uint8Array.of(0) }),
    },
    { name: 'class CH', query: dnsQuery({ labels: NAME, class: 3 }) },
    { name: 'class ANY', query: dnsQuery({ labels: NAME, class: 255 }) },
    { name: 'another type', query: dnsQuery({ labels: NAME, type: 28 }) },
    { name: 'another name of the same length', query: dnsQuery({ labels: ['www', 'example', 'orh'] }) },
    { name: 'a name that ends earlier', query: dnsQuery({ labels: ['www', 'example'] }) },
    { name: 'a name that ends later', query: dnsQuery({ labels: [...NAME, 'x'] }) },
    { name: 'the same letters in other labels', query: dnsQuery({ labels: ['www\x07example', 'org'] }) },
    { name: 'DO, stored without', query: dnsQuery({ labels: NAME, opt: { dnssecOk: true } }) },
    { name: 'CD, stored without', query: dnsQuery({ labels: NAME, flags: RD | CD }) },
    { name: 'EDNS version 1', query: dnsQuery({ labels: NAME, opt: { version: 1 } }) },
    { name: 'an OPT record with a name', query: dnsQuery({ labels: NAME, opt: { owner: [1, 97, 0] } }) },
    { name: 'an additional that is no OPT record', query: dnsQuery({ labels: NAME, opt: { type: 16 } }) },
    {
      name: 'an option that is no cookie',
      query: dnsQuery({ labels: NAME, opt: { options: [{ code: 8, data: new Uint8Array(8) }] } }),
    },
    {
      name: 'an empty option',
      query: dnsQuery({ labels: NAME, opt: { options: [{ code: 10, data: EMPTY }] } }),
    },
    { name: 'a cookie of 7 bytes', query: dnsQuery({ labels: NAME, opt: cookieOpt(new Uint8Array(7)) }) },
    { name: 'a cookie of 9 bytes', query: dnsQuery({ labels: NAME, opt: cookieOpt(new Uint8Array(9)) }) },
    { name: 'a cookie of 15 bytes', query: dnsQuery({ labels: NAME, opt: cookieOpt(new Uint8Array(15)) }) },
    { name: 'a cookie of 41 bytes', query: dnsQuery({ labels: NAME, opt: cookieOpt(new Uint8Array(41)) }) },
    { name: 'two cookies', query: dnsQuery({ labels: NAME, opt: { options: [cookie(8), cookie(8)] } }) },
    {
      name: 'a cookie and padding',
      query: dnsQuery({ labels: NAME, opt: { options: [cookie(8), { code: 12, data: EMPTY }] } }),
    },
    { name: 'a header alone', query: QUERY.slice(0, 12) },
    { name: 'less than a header', query: QUERY.slice(0, 11) },
    { name: 'nothing', query: EMPTY },
    { name: 'a name without an end', query: QUERY.slice(0, 20) },
    { name: 'a question without its class', query: QUERY.slice(0, -2) },
    { name: 'half an OPT record', query: dnsQuery({ labels: NAME, opt: {} }).slice(0, -5) },
    { name: 'a compressed name', query: changed(12, 0xc0, 0x0c) },
    { name: 'a label with a zero in it', query: changed(14, 0) },
    { name: 'a length byte that lies', query: changed(12, 4) },
    {
      name: 'more than the longest query that is answered',
      query: dnsQuery({ labels: NAME, behind: new Uint8Array(320) }),
    },
    { name: 'a large datagram', query: dnsQuery({ labels: NAME, behind: new Uint8Array(1300) }) },
  ])('goes on: $name', ({ query }) => {
    const before = missed();
    rig.expectMissed(rig.rig.query(family, { payload: query }));
    expect(missed()).toBe(before + 1n);
    expect(rig.expected(query, 4)).toEqual([]);
  });

  test('goes on: a DS query, even if it were stored', () => {
    rig.put(addressAnswer(NAME, { type: 43 }));
    rig.expectMissed(rig.rig.query(family, { payload: dnsQuery({ labels: NAME, type: 43 }) }));
  });

  test('goes on: a name that is longer than a name can be', () => {
    const labels = ['a'.repeat(63), 'b'.repeat(63), 'c'.repeat(63), 'd'.repeat(62)];
    rig.expectMissed(rig.rig.query(family, { payload: dnsQuery({ labels }) }));
  });
});

describe('a packet that is not plain goes on', () => {
  const udp = (packet: Uint8Array, l4: number, change: (view: DataView) => void) => {
    change(new DataView(packet.buffer, packet.byteOffset + l4));
    return packet;
  };
  test.each([
    {
      name: 'a UDP length of less than there is',
      packet: (p: PacketShape) => udp(buildPacket(p), 34, (v) => v.setUint16(4, 30)),
    },
    {
      name: 'a UDP length of more than there is',
      packet: (p: PacketShape) => udp(buildPacket(p), 34, (v) => v.setUint16(4, 300)),
    },
    {
      name: 'a UDP length of zero',
      packet: (p: PacketShape) => udp(buildPacket(p), 34, (v) => v.setUint16(4, 0)),
    },
    {
      name: 'bytes behind the packet',
      packet: (p: PacketShape) => Uint8Array.from([...buildPacket(p), 0, 0]),
    },
    { name: 'a packet that was cut', packet: (p: PacketShape) => buildPacket(p).slice(0, -3) },
    { name: 'IP options', packet: (p: PacketShape) => buildPacket({ ...p, options: 4 }) },
    { name: 'a first fragment', packet: (p: PacketShape) => buildPacket({ ...p, fragment: 0x2000 }) },
    { name: 'TCP', packet: (p: PacketShape) => buildPacket({ ...p, protocol: 'TCP' }) },
  ])('$name', ({ packet }) => {
    rig.expectMissed(packet(rig.rig.query(IPV4, { payload: QUERY })));
  });

  test('an IPv6 query without checksum, which nobody may take', () => {
    rig.expectMissed(rig.rig.query(IPV6, { payload: QUERY, noChecksum: true }));
  });
});

describe('who is not answered', () => {
  const answered = () => rig.programs.counters().answered;
  const goesOn = (packet: PacketShape, verdict: number) => {
    const before = { answered: answered(), missed: missed() };
    expect(rig.run(packet).verdict).toBe(verdict);
    return { answered: answered() - before.answered, missed: missed() - before.missed };
  };
  const none = { answered: 0n, missed: 0n };

  test('a pod that may not be; it is redirected, and no miss is counted', () => {
    rig.permit(IPV4, 0);
    expect(goesOn(rig.rig.query(IPV4, { payload: QUERY }), REDIRECTED)).toEqual(none);
  });

  test('a pod that may not even be redirected, whatever else its row says', () => {
    rig.permit(IPV4, ENDPOINT_ANSWERED | ENDPOINT_OBSERVE_ONLY);
    expect(goesOn(rig.rig.query(IPV4, { payload: QUERY }), PASS_ON)).toEqual(none);
  });

  test("who sends in another pod's name", () => {
    rig.permit(IPV4, ENDPOINT_ANSWERED, IFINDEX + 1);
    const spoofed = () => rig.programs.counters().spoofed ?? 0n;
    const before = spoofed();
    expect(goesOn(rig.rig.query(IPV4, { payload: QUERY }), PASS_ON)).toEqual(none);
    expect(spoofed()).toBe(before + 1n);
  });

  test('an address that belongs to nobody', () => {
    expect(goesOn(rig.rig.query(IPV4, { payload: QUERY, source: IPV4.vip }), PASS_ON)).toEqual(none);
  });

  test('a client of a frontend for which nobody fills a shelf', () => {
    rig.source(IPV4, { shelf: 0, view: VIEW });
    expect(goesOn(rig.rig.query(IPV4, { payload: QUERY }), REDIRECTED)).toEqual(none);
  });

  test.each([
    { name: 'a shelf that is not there', shelf: SHELF + 1 },
    { name: 'a shelf that cannot be', shelf: 0xffff_ffff },
  ])('a client of $name; that is a miss', ({ shelf }) => {
    rig.source(IPV4, { shelf, view: VIEW });
    expect(goesOn(rig.rig.query(IPV4, { payload: QUERY }), REDIRECTED)).toEqual({ answered: 0n, missed: 1n });
  });

  test("a client of another listener's view, and each gets its own", () => {
    rig.source(IPV4, { shelf: SHELF, view: OTHER_VIEW });
    expect(goesOn(rig.rig.query(IPV4, { payload: QUERY }), REDIRECTED)).toEqual({ answered: 0n, missed: 1n });
    const data = Uint8Array.of(203, 0, 113, 9);
    rig.put(addressAnswer(NAME, { view: OTHER_VIEW, answers: [{ type: A, data }] }));
    const reply = readPacket(rig.run(rig.rig.query(IPV4, { payload: QUERY })).packet);
    expect(reply.payload.slice(-4)).toEqual(data);
  });

  test('anybody, from a shelf that is laid out in another way', () => {
    rig.shelf.writeHead(99);
    rig.expectMissed(rig.rig.query(IPV4, { payload: QUERY }));
    rig.shelf.writeHead(1);
    rig.expectAnswered(QUERY);
  });

  test('a query to no frontend of ours', () => {
    const asked = rig.rig.query(IPV4, { payload: QUERY, destination: IPV4.dead });
    expect(goesOn(asked, PASS_ON)).toEqual(none);
  });
});

test('what is answered though its server is dead: names that are stored, and no others', () => {
  rig.rig.redirect(IPV4, [IPV4.dead]);
  rig.expectAnswered(QUERY);
  expect(rig.run(rig.rig.query(IPV4, { payload: dnsQuery({ labels: ['other'] }) })).verdict).toBe(PASS_ON);
});
