import { describe, expect, test } from 'vitest';
import { parseIp } from '../net/ip.ts';
import { decodeSockaddr, encodeSockaddr, forgetInterface, packetInfoAddress } from './sockaddr.ts';

function ip(text: string) {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return address;
}

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** As `recvmsg` gives it: length, level, type; then interface, chosen source, destination, and padding. */
const V4_INFO = hex('1c00000000000000 00000000 08000000 02000000 0a600001 0a60000a 00000000');
const V6_INFO = hex('2400000000000000 29000000 32000000 20010db8000000000000000000000010 03000000 00000000');
const LINK_LOCAL_INFO = hex(
  '2400000000000000 29000000 32000000 fe800000000000000000000000000010 03000000 00000000',
);

describe('sockaddr', () => {
  test.each([
    { name: 'IPv4', address: '10.96.0.10', bytes: '0200 0035 0a60000a 0000000000000000' },
    {
      name: 'IPv6',
      address: '2001:db8::10',
      bytes: '0a00 0035 00000000 20010db8000000000000000000000010 00000000',
    },
  ])('$name is laid out as the kernel wants it, and read back', ({ address, bytes }) => {
    expect(encodeSockaddr(ip(address), 53)).toEqual(hex(bytes));
    expect(decodeSockaddr(hex(bytes))).toEqual({ address, port: 53 });
  });

  test.each([
    { name: 'nothing', bytes: '' },
    { name: 'an unknown family', bytes: '0100 0035 0a60000a 0000000000000000' },
    { name: 'half an IPv6 address', bytes: '0a00 0035 00000000 20010db800000000' },
  ])('$name is no address', ({ bytes }) => {
    expect(decodeSockaddr(hex(bytes))).toBeUndefined();
  });

  test.each([
    {
      name: 'IPv4: the address that answers, not the one in the header',
      control: V4_INFO,
      expected: '10.96.0.1',
    },
    { name: 'IPv6', control: V6_INFO, expected: '2001:db8::10' },
    { name: 'none', control: new Uint8Array(), expected: undefined },
    { name: 'something else', control: new Uint8Array(32), expected: undefined },
  ])('packetInfoAddress: $name', ({ control, expected }) => {
    expect(packetInfoAddress(control)).toBe(expected);
  });

  test.each([
    { name: 'IPv4', control: V4_INFO, index: 16, kept: false },
    { name: 'IPv6', control: V6_INFO, index: 32, kept: false },
    {
      name: 'IPv6 link-local, which means nothing without it',
      control: LINK_LOCAL_INFO,
      index: 32,
      kept: true,
    },
  ])('forgetInterface: $name', ({ control, index, kept }) => {
    // Not at the beginning, as in a batch.
    const bytes = new Uint8Array(128);
    bytes.set(control, 64);
    expect(forgetInterface(bytes, 64, control.length)).toBe(true);
    const expected = control.slice();
    if (!kept) expected.fill(0, index, index + 4);
    expect(bytes.subarray(64, 64 + control.length)).toEqual(expected);
    expect(packetInfoAddress(bytes.subarray(64, 64 + control.length))).toBe(packetInfoAddress(control));
  });

  test('forgetInterface says when there is nothing that may be sent', () => {
    expect(forgetInterface(new Uint8Array(64), 0, 0)).toBe(false);
    expect(forgetInterface(new Uint8Array(64), 0, 32)).toBe(false);
  });
});
