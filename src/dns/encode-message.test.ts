import { expect, test } from 'vitest';
import { decodeMessage } from './decode-message.ts';
import { encodeMessage, messageLength } from './encode-message.ts';
import type { Edns, Message } from './message.ts';
import { addressRecord } from './rdata/address.ts';
import { soaRecord } from './rdata/soa.ts';
import { srvRecord } from './rdata/srv.ts';
import { cnameRecord } from './rdata/target.ts';
import { replyTo } from './reply.ts';
import { hex, ip, name, queryFor, toHex } from './testing/packets.ts';

function decoded(bytes: Uint8Array): Message {
  const result = decodeMessage(bytes);
  if (!result.ok) throw new Error(`Cannot decode: ${result.code} at ${result.offset}`);
  return result.value;
}

const EDNS: Edns = { version: 0, udpSize: 1232, dnssecOk: false, options: [] };
const manyAddresses = (count: number, owner = 'many.example.org') =>
  Array.from({ length: count }, (_, i) => addressRecord(name(owner), 30, ip(`10.0.${i >> 8}.${i & 255}`)));

test('RFC 1034 section 6.2.1: the reply is compressed to the bytes of RFC 1035 section 4.1.4', () => {
  const reply = replyTo(queryFor('SRI-NIC.ARPA', { id: 1234 }), {
    authoritative: true,
    answers: [
      addressRecord(name('SRI-NIC.ARPA'), 86_400, ip('26.0.0.73')),
      addressRecord(name('SRI-NIC.ARPA'), 86_400, ip('10.0.0.51')),
    ],
  });
  expect(toHex(encodeMessage(reply, { compress: true }))).toBe(
    toHex(
      hex(
        '04d2 8500 0001 0002 0000 0000',
        '07 5352492d4e4943 04 41525041 00 0001 0001',
        'c00c 0001 0001 00015180 0004 1a000049',
        'c00c 0001 0001 00015180 0004 0a000033',
      ),
    ),
  );
});

test('names inside SOA data are compressed, the target of SRV is not (RFC 2782)', () => {
  const numbers = { serial: 1, refreshSeconds: 2, retrySeconds: 3, expireSeconds: 4, minimumSeconds: 5 };
  const reply = replyTo(queryFor('a.b'), {
    answers: [srvRecord(name('a.b'), 0, { priority: 1, weight: 2, port: 53, target: name('a.b') })],
    authorities: [soaRecord(name('b'), 0, { mname: name('ns.b'), rname: name('x.ns.b'), ...numbers })],
  });
  expect(toHex(encodeMessage(reply, { compress: true })).slice(2 * 12)).toBe(
    toHex(
      hex(
        '01 61 01 62 00 0001 0001',
        'c00c 0021 0001 00000000 000b 0001 0002 0035 01610162 00',
        'c00e 0006 0001 00000000 001d 02 6e73 c00e 01 78 c038',
        '00000001 00000002 00000003 00000004 00000005',
      ),
    ),
  );
});

test('compression keeps the spelling of every name', () => {
  const reply = replyTo(queryFor('WWW.Example.org'), {
    answers: [cnameRecord(name('www.example.org'), 1, name('WWW.EXAMPLE.org'))],
  });
  expect(decoded(encodeMessage(reply, { compress: true }))).toEqual(reply);
});

test('a reply that fits is not compressed; messageLength is its size', () => {
  const reply = replyTo(queryFor('many.example.org'), { answers: manyAddresses(3), edns: EDNS });
  // 12 header, 18 + 4 question, 3 * (18 + 10 + 4) answers, 11 OPT
  expect(messageLength(reply)).toBe(141);
  expect(encodeMessage(reply)).toHaveLength(141);
  expect(encodeMessage(reply, { limit: 141 })).toHaveLength(141);
  expect(encodeMessage(reply, { limit: 140 }).length).toBeLessThan(141);
});

test('escapes in names take no room: nothing of other messages stands behind the last record', () => {
  const owner = name('a\\046b\\000.example');
  const reply = replyTo(queryFor('a\\.b'), { answers: [addressRecord(owner, 60, ip('192.0.2.1'))] });
  const bytes = encodeMessage(reply);
  expect(bytes).toHaveLength(messageLength(reply));
  expect(decodeMessage(bytes)).toEqual({ ok: true, value: reply });
});

test('59 addresses without EDNS: compressed, thirty fit 512 bytes, TC is set', () => {
  const sent = encodeMessage(replyTo(queryFor('a.test'), { answers: manyAddresses(59, 'a.test') }), {
    limit: 512,
  });
  expect(sent.length).toBeLessThanOrEqual(512);
  expect(decoded(sent).answers).toHaveLength(30);
  expect(decoded(sent).flags.truncated).toBe(true);
});

test.each([
  { name: 'the additional section', kept: [2, 2, 0], limit: 114 },
  { name: 'the authority section first from its end', kept: [2, 1, 0], limit: 98 },
  { name: 'everything but the answers', kept: [2, 0, 0], limit: 82 },
  { name: 'everything but one answer', kept: [1, 0, 0], limit: 66 },
  { name: 'all records', kept: [0, 0, 0], limit: 40 },
])('truncation drops $name and keeps OPT', ({ kept, limit }) => {
  const records = manyAddresses(2, 'a.test');
  const sections = { answers: records, authorities: records, additionals: records };
  // 12 header, 12 question, 16 for each compressed record, 11 OPT
  const message = decoded(encodeMessage(replyTo(queryFor('a.test'), { ...sections, edns: EDNS }), { limit }));
  const counts = [message.answers.length, message.authorities.length, message.additionals.length];
  expect(counts).toEqual(kept);
  expect(message.edns).toEqual(EDNS);
  expect(message.flags.truncated).toBe(true);
});

test('echoed options that would break the limit are dropped before the OPT record is', () => {
  const padding = { code: 12, data: new Uint8Array(600) };
  const reply = replyTo(queryFor('a.test'), { edns: { ...EDNS, options: [padding] } });
  expect(decoded(encodeMessage(reply, { limit: 512 })).edns).toEqual(EDNS);
  expect(decoded(encodeMessage(reply, { limit: 1232 })).edns?.options).toHaveLength(1);
});

test('more than TCP can announce is truncated at 65535 bytes', () => {
  const sent = encodeMessage(replyTo(queryFor('a.test'), { answers: manyAddresses(5000, 'a.test') }));
  expect(sent.length).toBeLessThanOrEqual(65_535);
  expect(decoded(sent).flags.truncated).toBe(true);
  expect(decoded(sent).answers.length).toBe(Math.floor((65_535 - 24) / 16));
});

test('names behind the first 16 KB are written out where no pointer reaches', () => {
  const answers = [...manyAddresses(1100, 'a.test'), ...manyAddresses(3, 'far.away')];
  const reply = replyTo(queryFor('a.test'), { answers });
  expect(decoded(encodeMessage(reply, { compress: true }))).toEqual(reply);
});

test('an extended rcode needs OPT: BADVERS without it goes out as SERVFAIL, never as NOERROR', () => {
  const reply = replyTo(queryFor('a.test'), { rcode: 16 });
  expect(decoded(encodeMessage(reply)).rcode).toBe(2);
  expect(decoded(encodeMessage({ ...reply, edns: EDNS })).rcode).toBe(16);
});
