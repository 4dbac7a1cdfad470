import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { TYPE } from '../dns/codes.ts';
import type { ResourceRecord } from '../dns/message.ts';
import { parseName } from '../dns/name.ts';
import { hex, name, toHex } from '../dns/testing/packets.ts';
import { RDATA_FORMATS } from './fields/formats.ts';
import { formatRecordText, parseRecordText } from './record-text.ts';

const IN_EXAMPLE = { origin: name('example.'), defaultTtlSeconds: 3600 };

function parse(text: string, options: Parameters<typeof parseRecordText>[1] = IN_EXAMPLE): ResourceRecord {
  const parsed = parseRecordText(text, options);
  if (!parsed.ok) throw new Error(`${parsed.code} at ${parsed.offset}: ${parsed.reason}`);
  return parsed.value;
}

/** Data as the RFC that defines the type draws or lists it. */
describe('parseRecordText gives the bytes of the RFCs', () => {
  test.each([
    { text: 'A 192.0.2.1', rdata: 'c0000201' },
    { text: 'AAAA 2001:db8::1', rdata: '20010db8000000000000000000000001' },
    { text: 'AAAA ::ffff:192.0.2.1', rdata: '00000000000000000000ffffc0000201' },
    { text: 'CNAME www', rdata: '03777777076578616d706c6500' },
    { text: 'CNAME www.', rdata: '0377777700' },
    { text: 'NS @', rdata: '076578616d706c6500' },
    { text: 'PTR a\\.b.', rdata: '03612e6200' },
    { text: 'DNAME .', rdata: '00' },
    { text: 'MX 10 m.', rdata: '000a016d00' },
    { text: 'SRV 0 100 53 s.', rdata: '000000640035017300' },
    {
      text: 'SOA n. h. 1 2h 30m 1d (\n 60 ; negative\n )',
      rdata: '016e00016800000000010000' + '1c2000000708000151800000003c',
    },
    { text: 'TXT plain "two words" ""', rdata: '05706c61696e0974776f20776f72647300' },
    { text: 'TXT "\\"quoted\\" \\\\ \\032\\255"', rdata: '0d2271756f74656422205c2020ff'.replace('0d', '0d') },
    { text: 'SPF "v=spf1 -all"', rdata: '0b763d73706631202d616c6c' },
    { text: 'HINFO PC "Linux 6"', rdata: '025043074c696e75782036' },
    {
      text: 'NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .',
      rdata: '0064000a0175074532552b7369700e215e2e2a24217369703a61406221' + '00',
    },
    { text: 'CAA 128 issue "ca.example"', rdata: '80056973737565' + '63612e6578616d706c65' },
    { text: 'URI 10 1 "ftp://a"', rdata: '000a00016674703a2f2f61' },
    {
      text: 'DS 60485 5 1 ( 2BB183AF5F22588179A53B0A 98631FAD1A292118 )',
      rdata: 'ec4505012bb183af5f22588179a53b0a98631fad1a292118',
    },
    { text: 'CDS 0 0 0 00', rdata: '0000000000' },
    { text: 'DNSKEY 256 3 RSASHA1 AQPS', rdata: '010003050103d2' },
    { text: 'CDNSKEY 0 3 0 AA==', rdata: '0000030000' },
    {
      text: 'RRSIG A 5 3 86400 20030322173103 20030220173103 2642 example. oJB1',
      rdata: '00010503000151803e7c9dd73e5510d7' + '0a52076578616d706c6500a09075',
    },
    {
      text: 'NSEC host.example. A MX RRSIG NSEC TYPE1234',
      rdata: `04686f7374076578616d706c6500${'0006400100000003'}041b${'00'.repeat(26)}20`,
    },
    { text: 'NSEC3PARAM 1 0 12 aabbccdd', rdata: '0100000c04aabbccdd' },
    { text: 'NSEC3PARAM 1 0 0 -', rdata: '0100000000' },
    {
      text: 'NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG',
      rdata: '0101000c04aabbccdd14174eb2409fe28bcb4887a1836f957f0a8425e27b0006' + '400000000002',
    },
    { text: 'TLSA 3 1 1 D2ABDE24', rdata: '030101d2abde24' },
    { text: 'SMIMEA 3 1 1 D2ABDE24', rdata: '030101d2abde24' },
    { text: 'SSHFP 2 1 123456789abcdef67890', rdata: '0201123456789abcdef67890' },
    { text: 'CERT PKIX 1 8 AQI=', rdata: '0001000108' + '0102' },
    { text: 'OPENPGPKEY AQID', rdata: '010203' },
    { text: 'CSYNC 66 3 A NS AAAA', rdata: '00000042000300046000000' + '8' },
    { text: 'ZONEMD 1 1 1 00ff', rdata: '00000001010100ff' },
    { text: 'LOC 42 21 54 N 71 06 18 W -24m 30m', rdata: '00331613' + '89172dd0' + '70be15f0' + '00988d20' },
    { text: 'TYPE65280 \\# 4 0a000001', rdata: '0a000001' },
    { text: 'A \\# 4 0a 00 00 01', rdata: '0a000001' },
    { text: 'TYPE1 10.0.0.1', rdata: '0a000001' },
    { text: 'NULL \\# 0', rdata: '' },
  ])('$text', ({ text, rdata }) => {
    expect(toHex(parse(`x 60 ${text}`).rdata)).toBe(rdata);
  });

  // RFC 9460 appendix D.2 and D.3.
  test.each([
    { text: 'SVCB 0 foo.example.com.', rdata: '000003666f6f076578616d706c6503636f6d00' },
    { text: 'SVCB 1 .', rdata: '000100' },
    { text: 'SVCB 16 foo.example.com. port=53', rdata: '001003666f6f076578616d706c6503636f6d00000300020035' },
    {
      text: 'SVCB 1 foo.example.com. key667=hello',
      rdata: '000103666f6f076578616d706c6503636f6d00029b000568656c6c6f',
    },
    {
      text: 'SVCB 1 foo.example.com. key667="hello\\210qoo"',
      rdata: '000103666f6f076578616d706c6503636f6d00029b000968656c6c6fd2716f6f',
    },
    {
      text: 'SVCB 1 foo.example.com. ( ipv6hint="2001:db8::1,2001:db8::53:1" )',
      rdata:
        '000103666f6f076578616d706c6503636f6d0000060020' +
        '20010db800000000000000000000000120010db8000000000000000000530001',
    },
    {
      text: 'SVCB 1 example.com. ( ipv6hint="2001:db8:122:344::192.0.2.33" )',
      rdata: '0001076578616d706c6503636f6d000006001020010db80122034400000000c0000221',
    },
    {
      text: 'SVCB 16 foo.example.org. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1 )',
      rdata:
        '001003666f6f076578616d706c65036f72670000000004000100040001000902683205' +
        '68332d313900040004c0000201',
    },
    {
      text: 'SVCB 16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
      rdata: '001003666f6f076578616d706c65036f7267000001000c08665c6f6f2c626172026832',
    },
    {
      text: 'SVCB 16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2',
      rdata: '001003666f6f076578616d706c65036f7267000001000c08665c6f6f2c626172026832',
    },
    { text: 'HTTPS 1 . no-default-alpn alpn=h3', rdata: '000100' + '00010003026833' + '00020000' },
  ])('$text', ({ text, rdata }) => {
    expect(toHex(parse(`example.com. ${text}`).rdata)).toBe(rdata);
  });
});

describe('the head of a record', () => {
  test.each([
    {
      name: 'TTL, then class',
      text: 'a 5 IN A 10.0.0.1',
      expected: { name: 'a.example.', ttlSeconds: 5, class: 1 },
    },
    { name: 'class, then TTL', text: 'a CH 5 A 10.0.0.1', expected: { ttlSeconds: 5, class: 3 } },
    { name: 'neither', text: 'a A 10.0.0.1', expected: { ttlSeconds: 3600, class: 1 } },
    { name: 'a class by number', text: 'a CLASS7 A 10.0.0.1', expected: { class: 7 } },
    { name: 'a TTL with units', text: 'a 1w2d3h4m5s A 10.0.0.1', expected: { ttlSeconds: 788_645 } },
    { name: 'units in capitals', text: 'a 1H30M A 10.0.0.1', expected: { ttlSeconds: 5400 } },
    { name: 'words in lower case', text: 'a in a 10.0.0.1', expected: { class: 1, type: 1 } },
    { name: 'the origin', text: '@ A 10.0.0.1', expected: { name: 'example.' } },
    { name: 'an at sign that is one', text: '\\@ A 10.0.0.1', expected: { name: '@.example.' } },
    { name: 'a wildcard', text: '* A 10.0.0.1', expected: { name: '*.example.' } },
    {
      name: 'a name that looks like a TTL',
      text: '60 60 A 10.0.0.1',
      expected: { name: '60.example.', ttlSeconds: 60 },
    },
    {
      name: 'blanks, tabs and a comment',
      text: '\n ; hi\na\t5\tA  10.0.0.1 ; there\n',
      expected: { ttlSeconds: 5 },
    },
    { name: 'an escaped dot', text: 'a\\.b A 10.0.0.1', expected: { name: 'a\\.b.example.' } },
    { name: 'a backslash before the last dot', text: 'a\\\\. A 10.0.0.1', expected: { name: 'a\\\\.' } },
    { name: 'the case of letters', text: 'WWW A 10.0.0.1', expected: { name: 'WWW.example.' } },
  ])('takes $name', ({ text, expected }) => {
    expect(parse(text)).toMatchObject(expected);
  });

  it('takes the owner before it for a record that starts with a blank', () => {
    const record = parse('  60 A 10.0.0.1', { ...IN_EXAMPLE, defaultOwner: name('b.example.') });
    expect(record).toMatchObject({ name: 'b.example.', ttlSeconds: 60 });
  });

  it('splits a text beyond 255 bytes into several strings', () => {
    const { rdata } = parse(`x TXT ${'k'.repeat(300)}`);
    expect([rdata.length, rdata[0], rdata[256]]).toEqual([302, 255, 45]);
  });
});

describe('what is no record is refused with its place', () => {
  test.each([
    { name: 'no data', text: 'a A', code: 'ZONE_RDATA', offset: 3 },
    { name: 'too much data', text: 'a A 10.0.0.1 10.0.0.2', code: 'ZONE_RDATA', offset: 13 },
    { name: 'half an address', text: 'a A 10.0.0', code: 'ZONE_RDATA', offset: 4 },
    { name: 'an address of the other family', text: 'a AAAA 10.0.0.1', code: 'ZONE_RDATA', offset: 7 },
    { name: 'an unknown type', text: 'a NOSUCH 1', code: 'ZONE_TYPE', offset: 2 },
    { name: 'a type of questions', text: 'a AXFR 1', code: 'ZONE_TYPE', offset: 2 },
    { name: 'no type', text: 'a 60 IN', code: 'ZONE_RDATA', offset: 7 },
    { name: 'a TTL beyond 2^31-1', text: 'a 2147483648 A 10.0.0.1', code: 'ZONE_TTL', offset: 2 },
    { name: 'an unknown unit', text: 'a 5y A 10.0.0.1', code: 'ZONE_TTL', offset: 2 },
    { name: 'an empty label', text: 'a..b A 10.0.0.1', code: 'ZONE_NAME', offset: 0 },
    { name: 'a label of 64 bytes', text: `${'a'.repeat(64)} A 10.0.0.1`, code: 'ZONE_NAME', offset: 0 },
    { name: 'an escape beyond 255', text: 'a TXT \\256', code: 'ZONE_RDATA', offset: 6 },
    { name: 'an open quote', text: 'a TXT "b', code: 'ZONE_TEXT', offset: 6 },
    { name: 'an open parenthesis', text: 'a TXT ( b', code: 'ZONE_TEXT', offset: 9 },
    { name: 'a stray parenthesis', text: 'a TXT b )', code: 'ZONE_TEXT', offset: 8 },
    { name: 'a backslash at the end', text: 'a TXT b\\', code: 'ZONE_TEXT', offset: 7 },
    { name: 'two records', text: 'a A 10.0.0.1\nb A 10.0.0.1', code: 'ZONE_TEXT', offset: 13 },
    { name: 'no owner', text: ' A 10.0.0.1', code: 'ZONE_NAME', offset: 1 },
    { name: 'a port beyond 65535', text: 'a SRV 0 0 65536 b', code: 'ZONE_RDATA', offset: 10 },
    { name: 'odd hexadecimal', text: 'a TYPE9 \\# 1 0', code: 'ZONE_RDATA', offset: 11 },
    { name: 'fewer bytes than announced', text: 'a TYPE999 \\# 2 00', code: 'ZONE_RDATA', offset: 13 },
    { name: 'an address of three bytes', text: 'a A \\# 3 010203', code: 'ZONE_RDATA', offset: 7 },
    { name: 'a compressed name in bytes', text: 'a NS \\# 2 c000', code: 'ZONE_RDATA', offset: 8 },
    { name: 'a parameter twice', text: 'a HTTPS 1 . port=1 port=2', code: 'ZONE_RDATA', offset: 19 },
    {
      name: 'a missing mandatory parameter',
      text: 'a HTTPS 1 . mandatory=port',
      code: 'ZONE_RDATA',
      offset: 12,
    },
    {
      name: 'a day that is none',
      text: `a RRSIG A 5 3 1 20230230000000 1 1 a AA==`,
      code: 'ZONE_RDATA',
      offset: 16,
    },
    { name: 'a latitude beyond the pole', text: 'a LOC 91 N 0 E 0m', code: 'ZONE_RDATA', offset: 6 },
    { name: 'nothing', text: '', code: 'ZONE_RDATA', offset: 0 },
  ])('$name', ({ text, code, offset }) => {
    expect(parseRecordText(text, IN_EXAMPLE)).toMatchObject({ ok: false, code, offset });
  });

  it('has neither a relative name without an origin nor a TTL without a default', () => {
    const bare = { origin: undefined, defaultTtlSeconds: undefined };
    expect(parseRecordText('a 1 A 10.0.0.1', bare)).toMatchObject({ ok: false, code: 'ZONE_NAME' });
    expect(parseRecordText('a. A 10.0.0.1', bare)).toMatchObject({ ok: false, code: 'ZONE_TTL' });
  });

  it('never throws and never hangs, whatever the text', () => {
    const anyUnit = fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit));
    const words = fc.constantFrom(
      'a',
      '(',
      ')',
      '"',
      '\\',
      ';',
      '\n',
      ' ',
      '=',
      'TXT',
      'HTTPS',
      'LOC',
      '1',
      '@',
      '\\#',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string({ unit: anyUnit }))), (pieces) => {
        parseRecordText(pieces.join(''), IN_EXAMPLE);
      }),
    );
    for (const long of ['"'.padEnd(2e6, '\\"'), 'a\\.'.repeat(1e6), '('.repeat(1e6), '\n'.repeat(1e6)]) {
      expect(parseRecordText(long, IN_EXAMPLE).ok).toBe(false);
    }
  });
});

const LABEL = fc.uint8Array({ minLength: 1, maxLength: 20 });
const NAME_BYTES = fc
  .array(LABEL, { maxLength: 5 })
  .map((labels) => Uint8Array.from([...labels.flatMap((label) => [label.length, ...label]), 0]));
const OWNER = fc.string({ minLength: 1, maxLength: 20 }).map((text) => parseName(text) ?? name('o'));

describe('formatRecordText', () => {
  it('is read back as the same record, whatever the type and whatever the bytes', () => {
    const known = fc.constantFrom(...RDATA_FORMATS.keys(), 10, 65280);
    fc.assert(
      fc.property(
        OWNER,
        known,
        fc.nat(2 ** 31 - 1),
        fc.uint8Array({ maxLength: 60 }),
        (owner, type, ttlSeconds, rdata) => {
          const record = { name: owner, type, class: 1, ttlSeconds, rdata };
          const again = parseRecordText(formatRecordText(record), {
            origin: undefined,
            defaultTtlSeconds: undefined,
          });
          // Types with names inside hold what the wire decoder would never let pass; those, and only those, are refused.
          if (again.ok) expect(again.value).toEqual(record);
          else expect(again.reason).toContain('data of type');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is read back when the data holds names of any bytes', () => {
    const types = fc.constantFrom(TYPE.CNAME, TYPE.NS, TYPE.PTR, TYPE.DNAME);
    fc.assert(
      fc.property(types, NAME_BYTES, (type, rdata) => {
        const record = { name: name('o.'), type, class: 1, ttlSeconds: 0, rdata };
        expect(parse(formatRecordText(record))).toEqual(record);
      }),
    );
  });

  test.each([
    { text: 'a. 60 IN A 10.0.0.1' },
    { text: 'a. 60 CH TXT "b \\"c\\" \\\\ \\255"' },
    { text: 'a\\(b\\;\\". 0 IN CNAME \\$c.' },
    { text: 'a. 60 IN SOA n. h. 1 7200 1800 86400 60' },
    { text: 'a. 60 IN HTTPS 1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.1' },
    { text: 'a. 60 IN TYPE65280 \\# 4 0A000001' },
    { text: 'a. 60 IN NSEC b. A RRSIG NSEC TYPE65280' },
    { text: 'a. 60 IN LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m' },
  ])('writes $text', ({ text }) => {
    expect(formatRecordText(parse(text))).toBe(text);
  });

  it('writes data that its type cannot say as bytes', () => {
    const broken = { name: name('a.'), type: TYPE.CAA, class: 1, ttlSeconds: 60, rdata: hex('00ff') };
    expect(formatRecordText(broken)).toBe('a. 60 IN CAA \\# 2 00FF');
  });
});
