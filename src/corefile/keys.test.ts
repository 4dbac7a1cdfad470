import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../fault/app-error.ts';
import { followsPreferredSyntax, parseZoneKey, zonesOf } from './keys.ts';

describe('parseZoneKey', () => {
  const cases: [text: string, scheme: string, zones: string[], port: number][] = [
    ['.', 'dns', ['.'], 53],
    ['.:5353', 'dns', ['.'], 5353],
    ['cluster.local', 'dns', ['cluster.local.'], 53],
    ['Example.ORG.:54', 'dns', ['example.org.'], 54],
    ['dns://example.org', 'dns', ['example.org.'], 53],
    ['tls://example.org', 'tls', ['example.org.'], 853],
    ['https://.', 'https', ['.'], 443],
    ['grpc://.:1443', 'grpc', ['.'], 1443],
    ['ftp://example.org', 'dns', ['ftp://example.org.'], 53],
    ['example.org:xyz', 'dns', ['example.org:xyz.'], 53],
    ['10.0.0.0/24', 'dns', ['0.0.10.in-addr.arpa.'], 53],
    ['10.0.0.7/8', 'dns', ['10.in-addr.arpa.'], 53],
    ['10.0.0.0/15:54', 'dns', ['0.10.in-addr.arpa.', '1.10.in-addr.arpa.'], 54],
    ['2001:db8::/32', 'dns', ['8.b.d.0.1.0.0.2.ip6.arpa.'], 53],
    ['2001:db8::/32:55', 'dns', ['8.b.d.0.1.0.0.2.ip6.arpa.'], 55],
  ];
  it.each(cases)('%s', (text, scheme, zones, port) => {
    expect(parseZoneKey(text, 53)).toEqual({ scheme, zones, port });
  });

  it('expands masks between label boundaries', () => {
    const host = parseZoneKey('10.0.0.0/27', 53).zones;
    expect(host).toHaveLength(32);
    expect([host[0], host[31]]).toEqual(['0.0.0.10.in-addr.arpa.', '31.0.0.10.in-addr.arpa.']);
    expect(parseZoneKey('2001:db8::/29', 53).zones).toHaveLength(8);
  });

  const refused: [text: string, message: string][] = [
    ['example.org:', 'error inspecting server blocks: expecting data after last colon: "example.org:"'],
    ['a'.repeat(256), 'error inspecting server blocks: specified zone is too long: 256 > 255'],
    ['a..b', 'error inspecting server blocks: zone is not a valid domain name: a..b'],
    [
      `${'a'.repeat(64)}.org`,
      `error inspecting server blocks: zone is not a valid domain name: ${'a'.repeat(64)}.org`,
    ],
    ['::/8', 'error inspecting server blocks: invalid CIDR ::/8'],
  ];
  it.each(refused)('refuses %s', (text, message) => {
    expect(() => parseZoneKey(text, 53)).toThrow(message);
  });

  it('gives a zone or an AppError for any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          return parseZoneKey(text, 53).zones.length > 0;
        } catch (error) {
          return error instanceof AppError;
        }
      }),
    );
  });
});

describe('zonesOf', () => {
  it('drops what is not a zone', () => {
    expect(zonesOf('a..b')).toEqual([]);
    expect(zonesOf('10.0.0.0/8')).toEqual(['10.in-addr.arpa.']);
  });
});

describe('followsPreferredSyntax', () => {
  const cases: [zone: string, follows: boolean][] = [
    ['.', true],
    ['cluster.local.', true],
    ['0.10.in-addr.arpa.', true],
    ['example.org:xyz.', false],
    ['_tcp.example.org.', false],
    ['1.example.org.', false],
  ];
  it.each(cases)('%s: %s', (zone, follows) => {
    expect(followsPreferredSyntax(zone)).toBe(follows);
  });
});
