import { expect, it } from 'vitest';
import { setUp } from '../fake-host.ts';
import { setup } from './setup.ts';

it('asks for debug lines and has no part in the chain', () => {
  expect(setUp(setup, 'debug')).toEqual({ debug: true });
});

it.each([
  ['debug on', "Wrong argument count or unexpected line ending after 'on'"],
  ['debug\ndebug', 'this plugin can only be used once per Server Block'],
  ['debug {\n loud\n}', "unknown property 'loud'"],
])('refuses %j', (lines, text) => {
  expect(() => setUp(setup, lines)).toThrow(text);
});
