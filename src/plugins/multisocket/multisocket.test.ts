import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { setUp } from '../fake-host.ts';
import { setup } from './setup.ts';

it('asks for as many sockets as there are cores, or as it is told', () => {
  expect(setUp(setup, 'multisocket')).toEqual({ sockets: availableParallelism() });
  expect(setUp(setup, 'multisocket 4')).toEqual({ sockets: 4 });
  expect(setUp(setup, 'multisocket 1024')).toEqual({ sockets: 1024 });
});

it.each([
  ['multisocket 0', 'num sockets can not be zero or negative: 0'],
  ['multisocket -1', 'num sockets can not be zero or negative: -1'],
  ['multisocket 1025', 'num sockets exceeds maximum (1024): 1025'],
  ['multisocket many', 'invalid num sockets: "many"'],
  ['multisocket 1 2', "Wrong argument count or unexpected line ending after '2'"],
  ['multisocket\nmultisocket', 'this plugin can only be used once per Server Block'],
])('refuses %j', (lines, text) => {
  expect(() => setUp(setup, lines)).toThrow(text);
});
