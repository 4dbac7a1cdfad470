/** Sockets of this process, as the kernel shows them, and what their owner sees when one is ended. */
import { createSocket, type Socket } from 'node:dgram';
import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { connectedUdpSockets, endUdpSocket, servingSockets } from './sock-diag.ts';

const opened: { close(): unknown }[] = [];

afterEach(() => {
  for (const socket of opened.splice(0)) socket.close();
});

function bound(kind: 'udp4' | 'udp6', address: string): Promise<Socket> {
  const socket = createSocket(kind);
  opened.push(socket);
  return new Promise((resolve) => socket.bind(0, address, () => resolve(socket)));
}

function connect(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve) => socket.connect(port, address, resolve));
}

test.each([
  { name: 'IPv4', kind: 'udp4', address: '127.0.0.1', to: '127.0.0.1' },
  { name: 'IPv6', kind: 'udp6', address: '::1', to: '::1' },
  { name: 'IPv4 in a socket of IPv6', kind: 'udp6', address: '::', to: '::ffff:127.0.0.1' },
] as const)(
  'a connected UDP socket over $name is shown, and fails with ECONNABORTED when it is ended',
  async (row) => {
    const server = await bound(row.to === '::1' ? 'udp6' : 'udp4', row.to === '::1' ? '::1' : '127.0.0.1');
    const client = await bound(row.kind, row.address);
    const failed = new Promise((resolve) => client.once('error', resolve));
    await connect(client, server.address().port, row.to);
    const { port } = server.address();
    const found = connectedUdpSockets().filter((socket) => socket.peerPort === port);
    expect(found).toMatchObject([
      { peer: row.to.replace('::ffff:', ''), family: row.kind === 'udp4' ? 2 : 10 },
    ]);
    expect(found.map(endUdpSocket)).toEqual(['OK']);
    expect(await failed).toMatchObject({ code: 'ECONNABORTED' });
    // The cookie names that socket as it was connected then.
    expect(found.map(endUdpSocket)).toEqual(['ENOENT']);
  },
);

test('unconnected UDP sockets are never among the connected ones', async () => {
  const socket = await bound('udp4', '127.0.0.1');
  const { port } = socket.address();
  const ports = connectedUdpSockets().map(({ id }) => Buffer.from(id).readUInt16BE(0));
  expect(ports).not.toContain(port);
});

test('servingSockets tells who takes questions, with the cgroup of its process', async () => {
  const udp = await bound('udp4', '127.0.0.1');
  const tcp = createServer();
  opened.push(tcp);
  const tcpPort = await new Promise<number>((resolve) =>
    tcp.listen(0, '127.0.0.1', () => resolve((tcp.address() as { port: number }).port)),
  );
  const sockets = servingSockets();
  const one = { address: '127.0.0.1', cgroupId: expect.any(BigInt) };
  expect(sockets).toContainEqual({ ...one, protocol: 'udp', port: udp.address().port });
  expect(sockets).toContainEqual({ ...one, protocol: 'tcp', port: tcpPort });
});
