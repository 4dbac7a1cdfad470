import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hex, queryFor, toHex } from '../dns/testing/packets.ts';
import { acceptPacket, refuseQuery } from './accept.ts';

const QUESTION = '01 61 00 0001 0001';
const OPT = '00 0029 04d0 00000000 0000';
const A = '01 61 00 0001 0001 00000000 0004 7f000001';

test.each([
  { name: 'nothing', packet: '' },
  { name: 'eleven bytes', packet: '0001 0100 0001 0000 0000 00' },
  { name: 'a reply', packet: `0001 8100 0001 0000 0000 0000 ${QUESTION}` },
  { name: 'a broken reply', packet: '0001 8100 0001 0000 0000 0000' },
])('$name is dropped in silence', ({ packet }) => {
  expect(acceptPacket(hex(packet))).toEqual({ action: 'drop' });
});

test.each([
  {
    name: 'STATUS is not implemented',
    packet: `abcd 1100 0001 0000 0000 0000 ${QUESTION}`,
    reply: 'abcd 9104',
  },
  { name: 'UPDATE is not implemented', packet: 'abcd 2800 0001 0000 0001 0000', reply: 'abcd a804' },
  { name: 'no question', packet: 'abcd 0100 0000 0000 0000 0000', reply: 'abcd 8101' },
  {
    name: 'two questions',
    packet: `abcd 0000 0002 0000 0000 0000 ${QUESTION} ${QUESTION}`,
    reply: 'abcd 8001',
  },
  { name: 'two answers', packet: `abcd 0100 0001 0002 0000 0000 ${QUESTION} ${A} ${A}`, reply: 'abcd 8101' },
  {
    name: 'two authorities',
    packet: `abcd 0100 0001 0000 0002 0000 ${QUESTION} ${A} ${A}`,
    reply: 'abcd 8101',
  },
  {
    name: 'three additionals',
    packet: `abcd 0100 0001 0000 0000 0003 ${QUESTION} ${A} ${A} ${A}`,
    reply: 'abcd 8101',
  },
  { name: 'a question that is cut', packet: 'abcd 0100 0001 0000 0000 0000 01 61', reply: 'abcd 8101' },
  {
    name: 'a pointer that loops',
    packet: 'abcd 0100 0001 0000 0000 0000 c00c 0001 0001',
    reply: 'abcd 8101',
  },
  {
    name: 'two OPT records',
    packet: `abcd 0100 0001 0000 0000 0002 ${QUESTION} ${OPT} ${OPT}`,
    reply: 'abcd 8101',
  },
])('$name: a bare header of twelve bytes', ({ packet, reply }) => {
  const accepted = acceptPacket(hex(packet));
  const bytes = accepted.action === 'reply' ? toHex(accepted.bytes) : accepted.action;
  expect(bytes).toBe(toHex(hex(reply, '0000 0000 0000 0000')));
});

test.each([
  { name: 'an ordinary query', packet: `0001 0100 0001 0000 0000 0000 ${QUESTION}` },
  { name: 'a query with OPT', packet: `0001 0100 0001 0000 0000 0001 ${QUESTION} ${OPT}` },
  { name: 'a query with OPT and one more', packet: `0001 0100 0001 0000 0000 0002 ${QUESTION} ${OPT} ${A}` },
  { name: 'a notify with its SOA', packet: `0001 2400 0001 0001 0000 0000 ${QUESTION} ${A}` },
  { name: 'a query with bytes behind it', packet: `0001 0100 0001 0000 0000 0000 ${QUESTION} ff` },
])('$name goes on to the zones', ({ packet }) => {
  expect(acceptPacket(hex(packet))).toMatchObject({ action: 'query', question: { name: 'a.', type: 1 } });
});

test('property: whatever arrives, the decision is one of three and a reply is never longer than its packet', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (packet) => {
      const accepted = acceptPacket(packet);
      expect(['drop', 'reply', 'query']).toContain(accepted.action);
      if (accepted.action === 'reply') expect(accepted.bytes.length).toBeLessThanOrEqual(packet.length);
    }),
  );
});

const edns = (version: number) => ({ version, udpSize: 1232, dnssecOk: true, options: [] });
test.each([
  { name: 'class IN passes', qclass: 1, version: 0, anyClass: false, rcode: undefined },
  { name: 'CH is refused', qclass: 3, version: 0, anyClass: false, rcode: 5 },
  { name: 'ANY is refused', qclass: 255, version: 0, anyClass: false, rcode: 5 },
  { name: 'CH passes where a block takes it', qclass: 3, version: 0, anyClass: true, rcode: undefined },
  { name: 'EDNS version 1 is BADVERS', qclass: 1, version: 1, anyClass: false, rcode: 16 },
  { name: 'the class is looked at before the version', qclass: 3, version: 1, anyClass: false, rcode: 5 },
])('refuseQuery: $name', ({ qclass, version, anyClass, rcode }) => {
  const query = queryFor('a', { edns: edns(version) });
  const [question] = query.questions.map((asked) => ({ ...asked, class: qclass }));
  if (question === undefined) throw new Error('the query has a question');
  const refusal = refuseQuery({ ...query, questions: [question] }, question, { anyClass });
  expect(refusal?.rcode).toBe(rcode);
  if (refusal !== undefined) expect(refusal.questions).toEqual([question]);
});
