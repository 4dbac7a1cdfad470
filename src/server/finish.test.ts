import { expect, test } from 'vitest';
import { decodeMessage } from '../dns/decode-message.ts';
import type { Edns, EdnsOption, Message } from '../dns/message.ts';
import { addressRecord } from '../dns/rdata/address.ts';
import { replyTo } from '../dns/reply.ts';
import { hex, ip, name, queryFor } from '../dns/testing/packets.ts';
import { type Delivery, finishReply, replyLimit } from './finish.ts';

const overUdp: Delivery = { client: { address: ip('192.0.2.7'), port: 4000 }, transport: 'udp' };
const overUdp6: Delivery = { client: { address: ip('2001:db8::7'), port: 4000 }, transport: 'udp' };
const overTcp: Delivery = { ...overUdp, transport: 'tcp' };

const option = (code: number): EdnsOption => ({ code, data: hex('0102030405060708') });
const edns = (fields: Partial<Edns> = {}): Edns => ({
  version: 0,
  udpSize: 1232,
  dnssecOk: false,
  options: [],
  ...fields,
});
const addresses = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    addressRecord(name('many.example.org'), 30, ip(`10.0.${i >> 8}.${i & 255}`)),
  );

function finished(query: Message, reply: Message, delivery: Delivery): Message & { bytes: number } {
  const bytes = finishReply(query, reply, delivery);
  const decoded = decodeMessage(bytes);
  if (!decoded.ok) throw new Error(decoded.code);
  return { ...decoded.value, bytes: bytes.length };
}

test('a client without OPT gets none, even if an upstream sent one', () => {
  const query = queryFor('a');
  expect(finished(query, replyTo(query, { edns: edns() }), overUdp).edns).toBeUndefined();
});

test.each([
  { name: 'the size as sent, however small', sent: edns({ udpSize: 100 }), back: edns({ udpSize: 100 }) },
  { name: 'the DO bit', sent: edns({ dnssecOk: true }), back: edns({ dnssecOk: true }) },
  {
    name: 'NSID, EXPIRE, COOKIE, TCP-KEEPALIVE and PADDING as sent',
    sent: edns({ options: [3, 9, 10, 11, 12].map(option) }),
    back: edns({ options: [3, 9, 10, 11, 12].map(option) }),
  },
  {
    name: 'neither the client subnet nor unknown options',
    sent: edns({ options: [8, 10, 65_001].map(option) }),
    back: edns({ options: [option(10)] }),
  },
])('OPT echoes $name', ({ sent, back }) => {
  const query = queryFor('a', { edns: sent });
  expect(finished(query, replyTo(query), overUdp).edns).toEqual(back);
});

test('an OPT record of the plugin keeps its options and takes the client’s size and DO', () => {
  const query = queryFor('a', { edns: edns({ dnssecOk: true, options: [option(10)] }) });
  const own = edns({ version: 3, udpSize: 4096, options: [option(15)] });
  const { edns: back } = finished(query, replyTo(query, { edns: own }), overUdp);
  expect(back).toEqual(edns({ dnssecOk: true, options: [option(15)] }));
});

test.each([
  { name: 'UDP without OPT', sent: undefined, transport: 'udp', limit: 512 },
  { name: 'UDP with a size below 512', sent: edns({ udpSize: 100 }), transport: 'udp', limit: 512 },
  { name: 'UDP with 1232', sent: edns(), transport: 'udp', limit: 1232 },
  {
    name: 'UDP with more than a datagram holds',
    sent: edns({ udpSize: 65_535 }),
    transport: 'udp',
    limit: 65_507,
  },
  { name: 'TCP, whatever OPT says', sent: edns({ udpSize: 100 }), transport: 'tcp', limit: 65_535 },
] as const)('the size limit of $name is $limit', ({ sent, transport, limit }) => {
  expect(replyLimit(queryFor('a', sent && { edns: sent }), transport)).toBe(limit);
});

test('59 addresses over UDP without OPT: truncated; over TCP: all of them, uncompressed', () => {
  const query = queryFor('many.example.org');
  const reply = replyTo(query, { answers: addresses(59) });
  const udp = finished(query, reply, overUdp);
  expect(udp.flags.truncated).toBe(true);
  expect(udp.bytes).toBeLessThanOrEqual(512);
  const tcp = finished(query, reply, overTcp);
  expect(tcp.answers).toHaveLength(59);
  // 12 header, 18 + 4 question, 59 * (18 + 10 + 4)
  expect(tcp.bytes).toBe(12 + 22 + 59 * 32);
});

test.each([
  { name: 'IPv4 up to 1480 bytes is not', count: 44, delivery: overUdp, compressed: false },
  { name: 'IPv4 above 1480 bytes is', count: 46, delivery: overUdp, compressed: true },
  { name: 'IPv6 up to 1220 bytes is not', count: 36, delivery: overUdp6, compressed: false },
  { name: 'IPv6 above 1220 bytes is', count: 37, delivery: overUdp6, compressed: true },
  { name: 'TCP is not', count: 46, delivery: overTcp, compressed: false },
])('a reply that fits the client is compressed to fit a frame: $name', ({ count, delivery, compressed }) => {
  const query = queryFor('many.example.org', { edns: edns({ udpSize: 4096 }) });
  const { bytes, answers, flags } = finished(query, replyTo(query, { answers: addresses(count) }), delivery);
  expect(answers).toHaveLength(count);
  expect(flags.truncated).toBe(false);
  // 12 header, 22 question, 11 OPT, 32 for an address or 16 when its owner is a pointer
  expect(bytes).toBe(12 + 22 + 11 + count * (compressed ? 16 : 32));
});

test('a reply always answers its query: ID and QR are set whatever the plugin gave', () => {
  const query = queryFor('a', { id: 77 });
  const { id, flags } = finished(query, { ...query, id: 1 }, overUdp);
  expect({ id, response: flags.response }).toEqual({ id: 77, response: true });
});
