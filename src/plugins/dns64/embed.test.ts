import { describe, expect, it } from 'vitest';
import { parsePrefix } from '../../net/prefix.ts';
import { ip } from '../fake-query.ts';
import { embedIpv4 } from './embed.ts';

describe('embedIpv4', () => {
  // RFC 6052 section 2.4; those of 72 to 88 bits have no example there and follow from its section 2.2.
  it.each([
    ['2001:db8::/32', '2001:db8:c000:221::'],
    ['2001:db8:100::/40', '2001:db8:1c0:2:21::'],
    ['2001:db8:122::/48', '2001:db8:122:c000:2:2100::'],
    ['2001:db8:122:300::/56', '2001:db8:122:3c0:0:221::'],
    ['2001:db8:122:344::/64', '2001:db8:122:344:c0:2:2100:0'],
    ['2001:db8:122:344::/72', '2001:db8:122:344:c0:2:2100:0'],
    ['2001:db8:122:344::/80', '2001:db8:122:344:0:c000:221:0'],
    ['2001:db8:122:344::/88', '2001:db8:122:344:0:c0:2:2100'],
    ['2001:db8:122:344::/96', '2001:db8:122:344::c000:221'],
    ['64:ff9b::/96', '64:ff9b::c000:221'],
  ])('puts 192.0.2.33 into %s', (text, expected) => {
    const prefix = parsePrefix(text);
    expect(prefix && embedIpv4(prefix, ip('192.0.2.33'))).toBe(ip(expected));
  });
});
