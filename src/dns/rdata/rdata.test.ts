import { describe, expect, test } from 'vitest';
import type { ResourceRecord } from '../message.ts';
import { hex, ip, name, toHex } from '../testing/packets.ts';
import { aaaaRecord, addressRecord, aRecord, recordAddress } from './address.ts';
import { mxRecord, readMx } from './mx.ts';
import { readSoa, soaRecord } from './soa.ts';
import { readSrv, srvRecord } from './srv.ts';
import { cnameRecord, dnameRecord, nsRecord, ptrRecord, recordTarget } from './target.ts';
import { hinfoRecord, readTxt, txtRecord } from './text.ts';

const owner = name('o.test');

test.each([
  { name: 'A', record: aRecord(owner, 5, ip('192.0.2.1')), type: 1, rdata: 'c0000201' },
  {
    name: 'AAAA',
    record: aaaaRecord(owner, 5, ip('2001:db8::1')),
    type: 28,
    rdata: '20010db8000000000000000000000001',
  },
  { name: 'A by family', record: addressRecord(owner, 5, ip('10.96.0.10')), type: 1, rdata: '0a60000a' },
  {
    name: 'AAAA by family',
    record: addressRecord(owner, 5, ip('::1')),
    type: 28,
    rdata: '00000000000000000000000000000001',
  },
  { name: 'CNAME', record: cnameRecord(owner, 5, name('a.b')), type: 5, rdata: '0161016200' },
  { name: 'NS', record: nsRecord(owner, 5, name('a.b')), type: 2, rdata: '0161016200' },
  { name: 'PTR', record: ptrRecord(owner, 5, name('a.b')), type: 12, rdata: '0161016200' },
  { name: 'DNAME', record: dnameRecord(owner, 5, name('.')), type: 39, rdata: '00' },
  {
    name: 'MX',
    record: mxRecord(owner, 5, { preference: 10, exchange: name('m') }),
    type: 15,
    rdata: '000a016d00',
  },
  {
    name: 'SRV',
    record: srvRecord(owner, 5, { priority: 0, weight: 100, port: 53, target: name('s') }),
    type: 33,
    rdata: '000000640035017300',
  },
  { name: 'TXT', record: txtRecord(owner, 5, ['1.1.0', '']), type: 16, rdata: '05312e312e3000' },
  { name: 'TXT without strings', record: txtRecord(owner, 5, []), type: 16, rdata: '' },
  {
    name: 'HINFO of RFC 8482',
    record: hinfoRecord(owner, 5, { cpu: 'RFC8482', os: '' }),
    type: 13,
    rdata: '0752464338343832 00'.replace(' ', ''),
  },
])('$name is made as its RFC says', ({ record, type, rdata }) => {
  expect(record).toMatchObject({ name: owner, type, class: 1, ttlSeconds: 5 });
  expect(toHex(record.rdata)).toBe(rdata);
});

test('a text beyond 255 bytes becomes several strings', () => {
  const long = 'ä'.repeat(200);
  const record = txtRecord(owner, 5, [long]);
  expect(record.rdata).toHaveLength(402);
  expect(record.rdata.subarray(0, 1)).toEqual(hex('ff'));
  expect(record.rdata.subarray(256, 257)).toEqual(hex('91'));
  expect(readTxt(txtRecord(owner, 5, ['a', 'bc']))).toEqual(['a', 'bc']);
});

test('making an address record of the wrong family is refused as our own bug', () => {
  expect(() => aRecord(owner, 5, ip('::1'))).toThrow('wrong family');
});

describe('readers give undefined for other types and for broken data', () => {
  const of = (type: number, rdata: string): ResourceRecord => ({
    name: owner,
    type,
    class: 1,
    ttlSeconds: 0,
    rdata: hex(rdata),
  });
  test.each([
    { name: 'an address of three bytes', read: recordAddress, record: of(1, '010203') },
    { name: 'the address of a TXT record', read: recordAddress, record: of(16, '03010203') },
    { name: 'a target without end', read: recordTarget, record: of(5, '0161') },
    { name: 'a target that is a pointer to itself', read: recordTarget, record: of(5, 'c000') },
    { name: 'the target of an address', read: recordTarget, record: of(1, '01020304') },
    { name: 'an SOA without numbers', read: readSoa, record: of(6, '0000') },
    { name: 'an SOA with a rest', read: readSoa, record: of(6, `0000${'00'.repeat(21)}`) },
    { name: 'an SRV without target', read: readSrv, record: of(33, '000000000035') },
    { name: 'an MX without exchange', read: readMx, record: of(15, '000a') },
    { name: 'a TXT string longer than the data', read: readTxt, record: of(16, '0561') },
  ])('$name', ({ read, record }) => {
    expect(read(record)).toBeUndefined();
  });
});

test('readers give back what the makers were given', () => {
  const soa = {
    mname: name('ns.dns.cluster.local'),
    rname: name('hostmaster.cluster.local'),
    serial: 0xffff_ffff,
    refreshSeconds: 7200,
    retrySeconds: 1800,
    expireSeconds: 86_400,
    minimumSeconds: 30,
  };
  expect(readSoa(soaRecord(owner, 30, soa))).toEqual(soa);
  const srv = { priority: 1, weight: 2, port: 53, target: name('a.b') };
  expect(readSrv(srvRecord(owner, 30, srv))).toEqual(srv);
  expect(recordTarget(srvRecord(owner, 30, srv))).toBe('a.b.');
});
