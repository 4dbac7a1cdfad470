import { createSocket } from 'node:dgram';
import { expect, test } from 'vitest';
import { boundSockets, ownSocketInodes, parseProcNet } from './bound-sockets.ts';

test('boundSockets sees a socket of ours, and that it is ours', async () => {
  const socket = createSocket('udp6');
  await new Promise<void>((resolve) => socket.bind(0, '::1', resolve));
  const { port } = socket.address();
  const found = boundSockets().find((bound) => bound.port === port && bound.ip === '::1');
  expect(found).toBeDefined();
  expect(ownSocketInodes()).toContain(found?.inode);
  socket.close();
});

test('parseProcNet reads addresses and leaves out other states and what it does not understand', () => {
  const text = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0A14FEA9:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1',
    '   1: 0A14FEA9:0035 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 4712 1',
    '   2: nonsense',
    '',
  ].join('\n');
  expect(parseProcNet(text, '0A')).toEqual([{ ip: '169.254.20.10', port: 53, inode: '4711' }]);
});
