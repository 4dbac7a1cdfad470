import { expect, it } from 'vitest';
import { formatListenAddress, parseListenAddress } from './listen-address.ts';

it.each([':9965', '127.0.0.1:9965', '[::1]:9965', '[2001:db8::1]:1'])('reads %s', (text) => {
  const address = parseListenAddress(text);
  expect(address).toBeDefined();
  expect(address && formatListenAddress(address)).toBe(text);
});

it.each(['9965', 'localhost:9965', ':0', ':70000', '[::1:9965', '::1:9965', '', ':', '1.2.3.4:', ':09'])(
  'refuses %s',
  (text) => {
    expect(parseListenAddress(text)).toBeUndefined();
  },
);
