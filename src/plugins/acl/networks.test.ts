import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipFromBytes } from '../../net/ip.ts';
import { type Prefix, parsePrefix, prefixContains } from '../../net/prefix.ts';
import { ip } from '../fake-query.ts';
import { createNetworks, EVERYWHERE } from './networks.ts';

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`not a prefix: ${text}`);
  return parsed;
}

describe('createNetworks', () => {
  it.each([
    [['10.0.0.0/8'], '10.255.255.255', true],
    [['10.0.0.0/8'], '11.0.0.0', false],
    [['10.0.0.0/8'], '9.255.255.255', false],
    [['0.0.0.0/0'], '255.255.255.255', true],
    [['0.0.0.0/0'], '::1', false],
    [['::/0'], '1.2.3.4', false],
    [['::/0'], 'ffff::', true],
    [['192.0.2.7/32'], '192.0.2.7', true],
    [['192.0.2.7/32'], '192.0.2.8', false],
    [['10.0.0.0/8', '10.1.0.0/16'], '10.2.0.1', true],
    [['10.1.0.0/16', '10.3.0.0/16'], '10.2.0.1', false],
    [['2001:db8::/33'], '2001:db8:7fff::1', true],
    [['2001:db8::/33'], '2001:db8:8000::', false],
    [['10.0.0.0/8'], '::ffff:10.0.0.1', true],
    [[], '10.0.0.1', false],
  ])('%j holds %s: %s', (networks, address, expected) => {
    expect(createNetworks(networks.map(prefix)).contains(ip(address))).toBe(expected);
  });

  it('says what asking each network by itself would say', () => {
    const bits = fc
      .uint8Array({ minLength: 4, maxLength: 4 })
      .map((bytes) => bytes.map((byte) => byte & 0x83));
    const network = fc.tuple(bits, fc.integer({ min: 0, max: 32 }));
    fc.assert(
      fc.property(fc.array(network, { maxLength: 30 }), bits, (networks, address) => {
        const prefixes = networks.map(([bytes, length]) => prefix(`${ipFromBytes(bytes)}/${length}`));
        const client = ipFromBytes(address);
        const expected = prefixes.some((each) => prefixContains(each, client));
        expect(createNetworks(prefixes).contains(client)).toBe(expected);
      }),
    );
  });

  it('everywhere is everywhere', () => {
    expect(EVERYWHERE.contains(ip('::'))).toBe(true);
  });
});
