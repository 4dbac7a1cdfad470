import { describe, expect, test } from 'vitest';
import { ipBytes, ipFromBytes, ipMappedBytes, parseIp } from './ip.ts';
import { formatAddressPort, parseAddressPort, parsePort } from './port.ts';
import { formatPrefix, parsePrefix, prefixContains } from './prefix.ts';

const ip = (text: string) => {
  const value = parseIp(text);
  if (value === undefined) throw new Error(`not an address: ${text}`);
  return value;
};

describe('parseIp', () => {
  // The expected texts are the examples of RFC 5952 sections 1 to 4.
  test.each([
    ['10.96.0.10', '10.96.0.10'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:DB8::A', '2001:db8::a'],
    ['::', '::'],
    ['::1', '::1'],
    ['fd00::', 'fd00::'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('reads %s as %s', (text, canonical) => {
    expect(parseIp(text)).toBe(canonical);
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.0.0.1',
    'fe80::1%eth0',
    '::g',
    '1::2::3',
    ' 1.2.3.4',
  ])('refuses "%s"', (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

test('ipFromBytes is the inverse of ipBytes', () => {
  for (const text of ['0.0.0.0', '255.1.2.3', '2001:db8::1', '::', '1:2:3:4:5:6:7:8']) {
    expect(ipFromBytes(ipBytes(ip(text)))).toBe(text);
    expect(ipFromBytes(ipMappedBytes(ip(text)))).toBe(text);
  }
});

describe('prefixes', () => {
  test.each([
    ['10.1.2.3/8', '10.0.0.0/8', '10.255.0.1', '11.0.0.1'],
    ['172.20.1.77/24', '172.20.1.0/24', '172.20.1.255', '172.20.2.0'],
    ['0.0.0.0/0', '0.0.0.0/0', '1.2.3.4', '::1'],
    ['10.0.0.1/31', '10.0.0.0/31', '10.0.0.1', '10.0.0.2'],
    ['2001:db8::1/33', '2001:db8::/33', '2001:db8:7fff::1', '2001:db8:8000::1'],
  ])('%s is %s', (text, canonical, inside, outside) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error('not a prefix');
    expect(formatPrefix(prefix)).toBe(canonical);
    expect(prefixContains(prefix, ip(inside))).toBe(true);
    expect(prefixContains(prefix, ip(outside))).toBe(false);
  });

  test.each(['10.0.0.0', '10.0.0.0/33', '::/129', '/8', '10.0.0.0/-1'])('refuses "%s"', (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });
});

test('parsePort takes decimal 1 to 65535 and nothing else', () => {
  expect([parsePort('1'), parsePort('53'), parsePort('65535')]).toEqual([1, 53, 65535]);
  for (const text of ['0', '053', '65536', '-1', '5.3', '', ' 53', '0x35', '１']) {
    expect(parsePort(text), text).toBeUndefined();
  }
});

test('formatAddressPort brackets IPv6 and parseAddressPort reads it back', () => {
  for (const text of ['10.96.0.10:53', '[fd00::a]:53']) {
    const parsed = parseAddressPort(text);
    expect(parsed && formatAddressPort(parsed.address, parsed.port)).toBe(text);
  }
  expect(parseAddressPort('10.96.0.10')).toBeUndefined();
  expect(parseAddressPort('fd00::a:53')).toBeUndefined();
});
