import { expect, test } from 'vitest';
import { decodeHeader, decodeMessage } from './decode-message.ts';
import type { Message } from './message.ts';
import { recordAddress } from './rdata/address.ts';
import { readMx } from './rdata/mx.ts';
import { readSoa } from './rdata/soa.ts';
import { readSrv } from './rdata/srv.ts';
import { recordTarget } from './rdata/target.ts';
import { hex, toHex } from './testing/packets.ts';

function decoded(...parts: readonly string[]): Message {
  const result = decodeMessage(hex(...parts));
  if (!result.ok) throw new Error(`Cannot decode: ${result.code} at ${result.offset}`);
  return result.value;
}

test('RFC 1034 section 6.2.1: the addresses of SRI-NIC.ARPA', () => {
  const message = decoded(
    '04d2 8400 0001 0002 0000 0000',
    '07 5352492d4e4943 04 41525041 00 0001 0001',
    'c00c 0001 0001 00015180 0004 1a000049',
    'c00c 0001 0001 00015180 0004 0a000033',
  );
  expect(message).toMatchObject({ id: 1234, opcode: 0, rcode: 0 });
  expect(message.flags).toMatchObject({ response: true, authoritative: true, recursionDesired: false });
  expect(message.questions).toEqual([{ name: 'SRI-NIC.ARPA.', type: 1, class: 1 }]);
  expect(message.answers.map((record) => [record.name, record.ttlSeconds, recordAddress(record)])).toEqual([
    ['SRI-NIC.ARPA.', 86_400, '26.0.0.73'],
    ['SRI-NIC.ARPA.', 86_400, '10.0.0.51'],
  ]);
});

test('RFC 1034 section 6.2.4: the SOA of a name error, its compressed names written out', () => {
  const message = decoded(
    '04d2 8403 0001 0000 0001 0000',
    '07 5349522d4e4943 04 41525041 00 0001 0001',
    '00 0006 0001 00015180 002b',
    '07 5352492d4e4943 c014  0a 484f53544d4153544552 c029',
    '000d48d3 00000708 0000012c 00093a80 00015180',
  );
  expect(message.rcode).toBe(3);
  const [soa] = message.authorities;
  expect(soa && readSoa(soa)).toEqual({
    mname: 'SRI-NIC.ARPA.',
    rname: 'HOSTMASTER.SRI-NIC.ARPA.',
    serial: 870_611,
    refreshSeconds: 1800,
    retrySeconds: 300,
    expireSeconds: 604_800,
    minimumSeconds: 86_400,
  });
  expect(soa && toHex(soa.rdata)).toBe(
    toHex(
      hex(
        '07 5352492d4e4943 04 41525041 00',
        '0a 484f53544d4153544552 07 5352492d4e4943 04 41525041 00',
        '000d48d3 00000708 0000012c 00093a80 00015180',
      ),
    ),
  );
});

test.each([
  { name: 'CNAME', type: '0005', rdata: '01 62 c00c' },
  { name: 'NS', type: '0002', rdata: '01 62 c00c' },
  { name: 'PTR', type: '000c', rdata: '01 62 c00c' },
  { name: 'DNAME, which some send compressed', type: '0027', rdata: '01 62 c00c' },
  { name: 'MX', type: '000f', rdata: '000a 01 62 c00c' },
  { name: 'SRV, which some send compressed', type: '0021', rdata: '0001 0002 0035 01 62 c00c' },
])('the target of $name is written out in full', ({ type, rdata }) => {
  const length = hex(rdata).length.toString(16).padStart(4, '0');
  const message = decoded(
    '0001 8000 0001 0001 0000 0000',
    '01 61 00 0001 0001',
    `c00c ${type} 0001 0000001e ${length}`,
    rdata,
  );
  const [record] = message.answers;
  expect(record && recordTarget(record)).toBe('b.a.');
  expect(record && toHex(record.rdata).endsWith('0162016100')).toBe(true);
});

test('MX and SRV keep their numbers', () => {
  const { answers } = decoded(
    '0001 8000 0000 0002 0000 0000',
    '00 000f 0001 00000000 0005 000a 016100',
    '00 0021 0001 00000000 0009 0001 0002 0035 016100',
  );
  expect(answers[0] && readMx(answers[0])).toEqual({ preference: 10, exchange: 'a.' });
  expect(answers[1] && readSrv(answers[1])).toEqual({ priority: 1, weight: 2, port: 53, target: 'a.' });
});

test('unknown types stay opaque, even where bytes look like a pointer (RFC 3597)', () => {
  const { answers } = decoded('0001 8000 0000 0001 0000 0000', '00 ff01 0001 00000000 0002 c00c');
  expect(answers[0]?.type).toBe(0xff01);
  expect(answers[0] && toHex(answers[0].rdata)).toBe('c00c');
});

test('OPT is lifted out, and its upper bits join the response code (RFC 6891 section 6.1.3)', () => {
  const message = decoded(
    '0001 8180 0000 0000 0000 0002',
    '00 0029 1000 01008000 000c 000a 0008 0102030405060708',
    '01 61 00 0001 0001 00000000 0004 7f000001',
  );
  expect(message.rcode).toBe(16);
  expect(message.edns).toEqual({
    version: 0,
    udpSize: 4096,
    dnssecOk: true,
    options: [{ code: 10, data: hex('0102030405060708') }],
  });
  expect(message.additionals.map((record) => record.type)).toEqual([1]);
});

test('a TTL with the highest bit set counts as zero (RFC 2181 section 8)', () => {
  const { answers } = decoded('0001 8000 0000 0001 0000 0000', '00 0001 0001 80000001 0004 7f000001');
  expect(answers[0]?.ttlSeconds).toBe(0);
});

test('empty data is allowed to every type (RFC 2136 section 2.4)', () => {
  const { answers } = decoded('0001 2800 0000 0001 0000 0000', '00 0005 00ff 00000000 0000');
  expect(answers[0]?.rdata).toHaveLength(0);
  expect(answers[0] && recordTarget(answers[0])).toBeUndefined();
});

test('bytes behind the last announced record are ignored', () => {
  expect(decodeMessage(hex('0001 0000 0000 0000 0000 0000 dead')).ok).toBe(true);
});

const OPT = '00 0029 1000 00000000 0000';
test.each([
  { name: 'no header', bytes: '0001 0100', code: 'DNS_CUT' },
  { name: 'a question that is not there', bytes: '0001 0100 0001 0000 0000 0000', code: 'DNS_CUT' },
  { name: 'a question without its class', bytes: '0001 0100 0001 0000 0000 0000 00 0001', code: 'DNS_CUT' },
  { name: 'more records than bytes', bytes: '0001 8100 0000 ffff ffff ffff', code: 'DNS_CUT' },
  {
    name: 'data that runs out of the packet',
    bytes: '0001 8000 0000 0001 0000 0000 00 0010 0001 00000000 0010 0361',
    code: 'DNS_CUT',
  },
  {
    name: 'a CNAME that runs out of the packet',
    bytes: '0001 8000 0000 0001 0000 0000 00 0005 0001 00000000 0010 016100',
    code: 'DNS_CUT',
  },
  {
    name: 'a CNAME that runs out of its data',
    bytes: '0001 8000 0000 0001 0000 0000 00 0005 0001 00000000 0002 016100',
    code: 'DNS_CUT',
  },
  {
    name: 'a CNAME with bytes behind its name',
    bytes: '0001 8000 0000 0001 0000 0000 00 0005 0001 00000000 0004 01610000',
    code: 'DNS_RDATA',
  },
  {
    name: 'an A record of five bytes',
    bytes: '0001 8000 0000 0001 0000 0000 00 0001 0001 00000000 0005 0102030405',
    code: 'DNS_RDATA',
  },
  {
    name: 'an AAAA record of four bytes',
    bytes: '0001 8000 0000 0001 0000 0000 00 001c 0001 00000000 0004 01020304',
    code: 'DNS_RDATA',
  },
  {
    name: 'an SRV record without its target',
    bytes: '0001 8000 0000 0001 0000 0000 00 0021 0001 00000000 0006 000100020003',
    code: 'DNS_CUT',
  },
  {
    name: 'an SOA record cut in its numbers',
    bytes: '0001 8000 0000 0001 0000 0000 00 0006 0001 00000000 0006 000000000001',
    code: 'DNS_CUT',
  },
  { name: 'two OPT records', bytes: `0001 0100 0000 0000 0000 0002 ${OPT} ${OPT}`, code: 'DNS_OPT' },
  { name: 'an OPT record as an answer', bytes: `0001 8100 0000 0001 0000 0000 ${OPT}`, code: 'DNS_OPT' },
  { name: 'an OPT record as an authority', bytes: `0001 8100 0000 0000 0001 0000 ${OPT}`, code: 'DNS_OPT' },
  {
    name: 'an OPT record with an owner',
    bytes: '0001 0100 0000 0000 0000 0001 0161 00 0029 1000 00000000 0000',
    code: 'DNS_OPT',
  },
  {
    name: 'an option longer than its OPT record',
    bytes: '0001 0100 0000 0000 0000 0001 00 0029 1000 00000000 0005 000a 0002 01 0203',
    code: 'DNS_OPT',
  },
  {
    name: 'an OPT record that runs out of the packet',
    bytes: '0001 0100 0000 0000 0000 0001 00 0029 1000 00000000 0005 000a',
    code: 'DNS_CUT',
  },
])('decodeMessage refuses $name', ({ bytes, code }) => {
  expect(decodeMessage(hex(bytes))).toMatchObject({ ok: false, code });
});

test('record data does not change with the memory the packet was read into', () => {
  const packet = Buffer.from(
    hex('0001 8400 0000 0001 0000 0000', '01 61 00 0001 0001 0000003c 0004 c0000201'),
  );
  const result = decodeMessage(packet);
  packet.fill(0);
  expect(result.ok && result.value.answers.map(recordAddress)).toEqual(['192.0.2.1']);
});

test('decodeHeader reads the counts without the body', () => {
  expect(decodeHeader(hex('0001 2900 0001 0002 0003 0004'))).toMatchObject({
    id: 1,
    opcode: 5,
    counts: { qd: 1, an: 2, ns: 3, ar: 4 },
  });
  expect(decodeHeader(hex('0001 2900'))).toBeUndefined();
});
