import { describe, expect, it } from 'vitest';
import { setUp } from '../fake-host.ts';
import { addressesOf } from './addresses.ts';
import { setup } from './setup.ts';

describe('bind', () => {
  const accepted: [name: string, lines: string, addresses: string[]][] = [
    ['addresses', 'bind 127.0.0.1 ::1', ['127.0.0.1', '::1']],
    ['several lines', 'bind 169.254.20.10\nbind 10.96.0.10 169.254.20.10', ['169.254.20.10', '10.96.0.10']],
    ['the wildcard', 'bind 0.0.0.0', ['0.0.0.0']],
    ['an exception', 'bind 127.0.0.1 127.0.0.2 {\nexcept 127.0.0.2\n}', ['127.0.0.1']],
  ];
  it.each(accepted)('takes %s', (_name, lines, addresses) => {
    expect(setUp(setup, lines).listenOn).toEqual(addresses);
  });

  const refused: [lines: string, text: string][] = [
    ['bind', 'at least one address or interface name is expected'],
    ['bind 300.1.1.1', 'not a valid IP address or interface name: "300.1.1.1"'],
    ['bind 127.0.0.1 {\nnosuch\n}', 'invalid option "nosuch"'],
  ];
  it.each(refused)('refuses %s', (lines, text) => {
    expect(() => setUp(setup, lines)).toThrow(`plugin/bind: Corefile:`);
    expect(() => setUp(setup, lines)).toThrow(text);
  });
});

describe('addressesOf', () => {
  const interfaces = { eth0: [{ address: '10.0.0.7' }, { address: 'fd00::7' }, { address: 'fe80::1' }] };

  it('gives the addresses of an interface without the link-local ones', () => {
    expect(addressesOf('eth0', interfaces)).toEqual(['10.0.0.7', 'fd00::7']);
    expect(addressesOf('constructor', interfaces)).toBeUndefined();
  });
});
