import { expect, test } from 'vitest';
import { messageClass, messageKind } from './classify.ts';
import type { Message, ResourceRecord } from './message.ts';
import { addressRecord } from './rdata/address.ts';
import { soaRecord } from './rdata/soa.ts';
import { nsRecord } from './rdata/target.ts';
import { replyTo } from './reply.ts';
import { hex, ip, name, queryFor } from './testing/packets.ts';

const owner = name('example.org');
const a = addressRecord(owner, 30, ip('192.0.2.1'));
const ns = nsRecord(owner, 30, name('ns.example.org'));
const soa = soaRecord(owner, 30, {
  mname: owner,
  rname: owner,
  serial: 1,
  refreshSeconds: 1,
  retrySeconds: 1,
  expireSeconds: 1,
  minimumSeconds: 1,
});
const NOW = 1_800_000_000;

/** RRSIG over A by RFC 4034 section 3.1, with these validity times and a signature of one byte. */
function signature(expiration: number, inception: number): ResourceRecord {
  const times = [expiration, inception].map((time) => (time >>> 0).toString(16).padStart(8, '0'));
  return { ...a, type: 46, rdata: hex('0001 08 02 0000001e', ...times, '0001 00 ff') };
}

const query = queryFor('example.org');
const reply = (content: Parameters<typeof replyTo>[1]) => replyTo(query, content);
const edns = { version: 0, udpSize: 1232, dnssecOk: true, options: [] };

const cases: readonly { name: string; message: Message | undefined; kind: string; group: string }[] = [
  { name: 'no reply', message: undefined, kind: 'OTHERERROR', group: 'error' },
  { name: 'an update', message: { ...query, opcode: 5 }, kind: 'UPDATE', group: 'error' },
  { name: 'a notify', message: { ...query, opcode: 4 }, kind: 'META', group: 'error' },
  { name: 'a zone transfer', message: replyTo(queryFor('a', { type: 252 })), kind: 'META', group: 'error' },
  {
    name: 'an incremental transfer',
    message: replyTo(queryFor('a', { type: 251 })),
    kind: 'META',
    group: 'error',
  },
  { name: 'an answer', message: reply({ answers: [a] }), kind: 'NOERROR', group: 'success' },
  {
    name: 'an answer with an SOA',
    message: reply({ answers: [a], authorities: [soa] }),
    kind: 'NOERROR',
    group: 'success',
  },
  { name: 'no data', message: reply({ authorities: [soa] }), kind: 'NODATA', group: 'denial' },
  {
    name: 'no data with NS in front of the SOA',
    message: reply({ authorities: [ns, soa] }),
    kind: 'NODATA',
    group: 'denial',
  },
  { name: 'a delegation', message: reply({ authorities: [ns] }), kind: 'DELEGATION', group: 'success' },
  { name: 'an empty reply', message: reply({}), kind: 'NOERROR', group: 'success' },
  {
    name: 'a name error',
    message: reply({ rcode: 3, authorities: [soa] }),
    kind: 'NXDOMAIN',
    group: 'denial',
  },
  { name: 'a name error without SOA', message: reply({ rcode: 3 }), kind: 'NXDOMAIN', group: 'denial' },
  {
    name: 'a name error with answers',
    message: reply({ rcode: 3, answers: [a] }),
    kind: 'OTHERERROR',
    group: 'error',
  },
  { name: 'SERVFAIL', message: reply({ rcode: 2 }), kind: 'SERVERERROR', group: 'error' },
  { name: 'NOTIMP', message: reply({ rcode: 4 }), kind: 'SERVERERROR', group: 'error' },
  { name: 'REFUSED', message: reply({ rcode: 5 }), kind: 'OTHERERROR', group: 'error' },
  { name: 'FORMERR', message: reply({ rcode: 1 }), kind: 'OTHERERROR', group: 'error' },
  {
    name: 'a valid signature',
    message: reply({ answers: [a, signature(NOW + 9, NOW - 9)], edns }),
    kind: 'NOERROR',
    group: 'success',
  },
  {
    name: 'an expired signature',
    message: reply({ answers: [a, signature(NOW - 1, NOW - 9)], edns }),
    kind: 'OTHERERROR',
    group: 'error',
  },
  {
    name: 'a signature of tomorrow',
    message: reply({ answers: [a, signature(NOW + 99, NOW + 9)], edns }),
    kind: 'OTHERERROR',
    group: 'error',
  },
  {
    name: 'an expired signature nobody asked for',
    message: reply({ answers: [a, signature(NOW - 1, NOW - 9)] }),
    kind: 'NOERROR',
    group: 'success',
  },
];

test.each(cases)('messageKind: $name is $kind, of the class $group', ({ message, kind, group }) => {
  const found = messageKind(message, NOW);
  expect(found).toBe(kind);
  expect(messageClass(found)).toBe(group);
});

test('signature times are serial numbers: in the year 2106 they wrap and stay valid', () => {
  const wrap = 2 ** 32;
  const signed = reply({ answers: [signature(50, wrap - 50)], edns });
  expect(messageKind(signed, wrap + 10)).toBe('NOERROR');
  expect(messageKind(signed, wrap + 60)).toBe('OTHERERROR');
});
