/**
 * Queries that the packet program answers by itself: packet in, reply out, held against an oracle written from the RFCs. Needs
 * root.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AD, AnswerRig, addressAnswer, CD, cookie, dnsQuery, RD } from '../testing/answer-rig.ts';
import { FAMILIES, IFINDEX, IPV4 } from '../testing/program-rig.ts';
import { buildPacket, readPacket } from '../testing/test-packet.ts';
import { REDIRECTED } from '../testing/test-programs.ts';

let rig: AnswerRig;
const NAME = ['www', 'example', 'org'];
const LONG = ['a'.repeat(63), 'b'.repeat(63), 'c'.repeat(63), 'd'.repeat(61)];

beforeAll(async () => {
  rig = await AnswerRig.open('answers');
});

afterAll(() => rig.close());

beforeEach(() => rig.reset());

describe.each(FAMILIES)('a query over $name for a stored name', ({ family }) => {
  test.each([
    { name: 'as it is stored', query: {} },
    { name: 'in other letter case', query: { labels: ['wWw', 'eXAMPLE', 'Org'] } },
    { name: 'with another id', query: { id: 0xffff } },
    { name: 'without RD', query: { flags: 0 } },
    { name: 'that asks for AD', query: { flags: RD | AD } },
    { name: 'with bits that mean nothing in a query', query: { flags: RD | 0x06cf } },
    { name: 'with a bare OPT record', query: { opt: {} } },
    { name: 'with an OPT record of size 0', query: { opt: { udpSize: 0 } } },
    { name: 'with the largest size', query: { opt: { udpSize: 65535 } } },
    { name: 'with an extended rcode and unknown flags', query: { opt: { extendedRcode: 7, flags: 0x7fff } } },
    { name: "with a client's cookie", query: { opt: { options: [cookie(8)] } } },
    { name: "with a server's cookie too", query: { opt: { options: [cookie(16)] } } },
    { name: 'with a cookie of odd length', query: { opt: { options: [cookie(17)] } } },
    { name: 'with the longest cookie', query: { opt: { options: [cookie(40)] } } },
  ])('is answered: $name', ({ query }) => {
    rig.put(addressAnswer(NAME, { authenticData: true }));
    rig.expectAnswered(dnsQuery({ labels: NAME, ...query }), family);
  });

  test.each([
    { bits: 'DO', query: { opt: { dnssecOk: true } }, stored: { dnssecOk: true } },
    { bits: 'CD', query: { flags: RD | CD }, stored: { checkingDisabled: true } },
    {
      bits: 'both',
      query: { flags: RD | CD, opt: { dnssecOk: true } },
      stored: { dnssecOk: true, checkingDisabled: true },
    },
  ])('gets the answer that was stored for $bits, and no other', ({ query, stored }) => {
    rig.put(addressAnswer(NAME, { answers: [{ type: 1, data: Uint8Array.of(198, 51, 100, 1) }] }));
    expect(rig.expected(dnsQuery({ labels: NAME, ...query }), 4)).toEqual([]);
    rig.ask(dnsQuery({ labels: NAME, ...query }), family);
    rig.put(addressAnswer(NAME, { ...stored, authenticData: true }));
    rig.expectAnswered(dnsQuery({ labels: NAME, ...query }), family);
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 30, 63])(
    'is answered whatever the length of its name: %i bytes more',
    (more) => {
      const labels = more === 0 ? ['x'] : ['x', 'y'.repeat(more)];
      rig.put(addressAnswer(labels), 100);
      for (const opt of [undefined, {}, { options: [cookie(8)] }, { options: [cookie(23)] }])
        rig.expectAnswered(dnsQuery({ labels, ...(opt && { opt }) }), family);
    },
  );

  test.each([
    { name: 'the root', labels: [] },
    { name: 'the longest name there is', labels: LONG },
    { name: 'a name of more than a small slot holds', labels: ['n'.repeat(40), 'm'.repeat(30)] },
    { name: 'a name that just fits a small slot', labels: ['n'.repeat(40), 'm'.repeat(21)] },
    { name: 'a name with bytes that are no letters', labels: ['_dns-sd', '@[`{\u00c1', '\x01\x40\x5b'] },
  ])('is answered: $name', ({ labels }) => {
    rig.put(addressAnswer(labels), 3);
    rig.expectAnswered(dnsQuery({ labels }), family);
    rig.expectAnswered(dnsQuery({ labels, opt: { udpSize: 4096, options: [cookie(40)] } }), family);
  });

  const soa = { owner: Uint8Array.of(0xc0, 16), type: 6, data: new Uint8Array(37).fill(9) };
  test.each([
    { name: 'that does not exist', stored: { rcode: 3, answers: [], authorities: [soa] } },
    { name: 'without records of the type', stored: { answers: [], authorities: [soa] } },
    { name: 'with nothing at all behind the question', stored: { answers: [] } },
    {
      name: 'with records in all sections, at odd places and under names of their own',
      stored: {
        answers: [
          { type: 5, data: new Uint8Array(7).fill(65) },
          { owner: Uint8Array.of(3, 97, 98, 99, 0), type: 1, data: Uint8Array.of(1, 2, 3, 4) },
        ],
        authorities: [soa],
        additionals: [{ type: 28, data: new Uint8Array(16).fill(0xfe) }],
      },
    },
  ])('is answered for a name $name', ({ stored }) => {
    rig.put(addressAnswer(NAME, stored), 61);
    for (const opt of [undefined, {}, { dnssecOk: false, options: [cookie(8)] }])
      rig.expectAnswered(dnsQuery({ labels: NAME, ...(opt && { opt }) }), family);
  });

  test('gets a reply without UDP checksum only when it had none itself', () => {
    rig.put(addressAnswer(NAME));
    rig.expectAnswered(dnsQuery({ labels: NAME }), family, { noChecksum: family === IPV4 });
  });

  test('keeps the number of sixteen records, and of as many bytes as a large slot holds', () => {
    const answers = Array.from({ length: 16 }, (_, i) => ({
      type: 1,
      data: new Uint8Array(52 - (i & 1)).fill(i),
    }));
    rig.put(addressAnswer(NAME, { answers }), 7);
    rig.expectAnswered(dnsQuery({ labels: NAME, opt: { udpSize: 4096 } }), family);
  });
});

test('a reply goes back to the station that asked, from the one that was asked', () => {
  rig.put(addressAnswer(NAME));
  const packet = buildPacket(rig.rig.query(IPV4, { payload: dnsQuery({ labels: NAME }) }));
  packet.set([2, 1, 1, 1, 1, 1, 2, 9, 9, 9, 9, 9]);
  const reply = rig.run(packet);
  expect(reply.verdict).toBe(REDIRECTED);
  expect([...reply.packet.subarray(0, 14)]).toEqual([2, 9, 9, 9, 9, 9, 2, 1, 1, 1, 1, 1, 8, 0]);
});

test('a wrong checksum stays wrong: whoever asked drops the reply', () => {
  rig.put(addressAnswer(NAME), 40);
  const packet = buildPacket(rig.rig.query(IPV4, { payload: dnsQuery({ labels: NAME, opt: {} }) }));
  const at = 14 + 20 + 6;
  packet[at] = (packet[at] ?? 0) ^ 0x10;
  const reply = rig.run(packet);
  expect([reply.verdict, readPacket(reply.packet).intact]).toEqual([REDIRECTED, false]);
});

test('a checksum that was left to the network card is right in the end if it was so in the query', () => {
  // What the program cannot see: the field holds the sum of the pseudo-header. A test run calls it complete, and then the reply
  // is wrong by exactly what the query was.
  rig.put(addressAnswer(NAME));
  const query = rig.rig.query(IPV4, { payload: dnsQuery({ labels: NAME }) });
  const packet = buildPacket(query);
  const at = 14 + 20 + 6;
  const complete = new DataView(packet.buffer).getUint16(at);
  const changed = Uint8Array.from(packet);
  new DataView(changed.buffer).setUint16(at, complete === 0x1111 ? 0x2222 : 0x1111);
  const [right, wrong] = [packet, changed].map((each) =>
    new DataView(rig.run(each).packet.buffer).getUint16(at),
  );
  const off = (from: number, to: number) => (to - from + 0xffff) % 0xffff;
  expect(off(right ?? 0, wrong ?? 0)).toBe(off(complete, new DataView(changed.buffer).getUint16(at)));
});

test("each answer is told as one event, with the query's ends, the reply and the time it took", () => {
  rig.put(addressAnswer(NAME));
  const asked = rig.rig.query(IPV4, { payload: dnsQuery({ labels: NAME, opt: {} }) });
  const reply = readPacket(rig.run(asked).packet);
  const events = rig.programs.events();
  expect(events).toMatchObject([
    {
      hook: 'from-endpoint',
      verdict: 'answered',
      ifindex: IFINDEX,
      protocol: 'UDP',
      source: { address: asked.source, port: asked.sourcePort },
      destination: { address: asked.destination, port: asked.destinationPort },
      payload: reply.payload,
      payloadLength: reply.payload.length,
    },
  ]);
  expect(events[0]?.tookNs).toBeGreaterThan(0);
  expect(events[0]?.tookNs).toBeLessThan(1e9);
});

test('no flow is remembered for what was answered', () => {
  rig.put(addressAnswer(NAME));
  const asked = rig.rig.query(IPV4, { payload: dnsQuery({ labels: NAME }) });
  rig.run(asked);
  expect(rig.programs.remembersReplyTo(asked, IPV4.alive)).toBe(false);
});
