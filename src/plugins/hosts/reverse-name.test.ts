import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ipFromBytes } from '../../net/ip.ts';
import { name } from '../fake-host.ts';
import { reverseAddress, reverseName } from './reverse-name.ts';

it.each([
  { text: '192.0.2.1', reverse: '1.2.0.192.in-addr.arpa.' },
  // RFC 3596 section 2.5.
  {
    text: '4321:0:1:2:3:4:567:89ab',
    reverse: 'b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa.',
  },
])('reverseAddress and reverseName: $text', ({ text, reverse }) => {
  const ip = reverseAddress(name(reverse));
  expect(ip).toBe(text);
  expect(ip && reverseName(ip)).toBe(reverse);
});

it('reverseAddress reads back what reverseName writes', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  fc.assert(
    fc.property(bytes, (raw) => {
      const ip = ipFromBytes(raw);
      expect(reverseAddress(reverseName(ip))).toBe(ip);
    }),
  );
});

it.each([
  { what: 'part of an address', text: '2.0.192.in-addr.arpa.' },
  { what: 'more than an address', text: '1.1.2.0.192.in-addr.arpa.' },
  { what: 'a number beyond 255', text: '256.2.0.192.in-addr.arpa.' },
  { what: 'a leading zero', text: '01.2.0.192.in-addr.arpa.' },
  { what: 'the zone alone', text: 'ip6.arpa.' },
  { what: 'a digit that is none', text: `g.${'0.'.repeat(31)}ip6.arpa.` },
  { what: 'half the digits', text: `${'0.'.repeat(16)}ip6.arpa.` },
])('reverseAddress knows no address for $what', ({ text }) => {
  expect(reverseAddress(name(text))).toBeUndefined();
});
