/**
 * Clients that open connections to harm: handshakes that never end, queries a byte at a time. (Those that only hoard them
 * are in `serve/process/many-connections.kernel.test.ts`.) Datagrams and other connections are served all the while.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, it } from 'vitest';
import { FrameSplitter, frameMessage } from '../../src/dns/frames.ts';
import { replyFault } from '../fuzz/wire/judge-reply.ts';
import { buildPacket } from '../fuzz/wire/packet-builder.ts';
import { cachedName, openStage, type Stage, underFlood } from './flood-rig.ts';

const HALF_OPEN = 3000;
const TRICKLING = 500;
const AT_ONCE = 50;
/** A query on its way, of which the last byte never comes. */
const QUERY = frameMessage(buildPacket({ name: 'a-name-that-takes-its-time.flood.test' }));
/** The first bytes of a ClientHello of 512 bytes. */
const HELLO = Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, ...Array(100).fill(7));

let stage: Stage | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await stage?.close();
});

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  return socket;
}

/** Opens so many, each of which says something and waits. */
async function openMany(count: number, port: number, says: Uint8Array): Promise<void> {
  for (let i = 0; i < count; i += AT_ONCE) {
    const opened = await Promise.all(Array.from({ length: AT_ONCE }, () => dial(port)));
    for (const socket of opened) socket.write(says);
    await pause(1);
  }
}

/** Asks over the stream once it is ready, and takes the reply's fault, if any. */
async function askStream(socket: Socket, ready: 'connect' | 'secureConnect'): Promise<string | undefined> {
  sockets.push(socket);
  await once(socket, ready);
  const query = buildPacket({ name: cachedName(1) });
  const frames = new FrameSplitter();
  const reply = new Promise<Uint8Array>((resolve) => {
    socket.on('data', (chunk: Uint8Array) => frames.push(chunk).forEach(resolve));
  });
  socket.write(frameMessage(query));
  return replyFault({ query, reply: await reply, transport: 'tcp' });
}

const askTls = (port: number) =>
  askStream(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }), 'secureConnect');
const askTcp = (port: number) => askStream(connect(port, '127.0.0.1'), 'connect');

/** Nothing is sent by UDP: what counts is the client that asks for cached names meanwhile. */
const meanwhile = (lastsMs: number) => ({ lastsMs, perSecond: 0, send: () => undefined });

/** A handshake that waits holds its keys and TLS's buffers, some 50 KB, and there are never more than a thousand. */
it('3000 TLS handshakes that never end', async () => {
  stage = await openStage(0);
  const { program } = stage;
  const opened = openMany(HALF_OPEN, program.ports.dot, HELLO);
  const outcome = await underFlood(program, meanwhile(4000));
  await opened;
  expect(outcome.cachedAnswered / outcome.cachedAsked).toBeGreaterThanOrEqual(0.99);
  expect(outcome.grownMb).toBeLessThan(160);
  expect(await askTls(program.ports.dot)).toBeUndefined();
  expect(await askTcp(program.ports.dns)).toBeUndefined();
});

it('500 clients that send a byte at a time are let go, however long they go on', async () => {
  stage = await openStage(0);
  const { program } = stage;
  await openMany(TRICKLING, program.ports.dns, QUERY.subarray(0, 2));
  const slow = [...sockets];
  let at = 2;
  const trickle = setInterval(() => {
    for (const socket of slow) if (!socket.destroyed) socket.write(QUERY.subarray(at, at + 1));
    at = Math.min(at + 1, QUERY.length - 2);
  }, 100);
  const outcome = await underFlood(program, meanwhile(3000));
  expect(outcome.cachedAnswered / outcome.cachedAsked).toBeGreaterThanOrEqual(0.99);
  expect(outcome.grownMb).toBeLessThan(64);
  expect(await askTcp(program.ports.dns)).toBeUndefined();
  await expect.poll(() => slow.filter((socket) => !socket.destroyed).length, { timeout: 20_000 }).toBe(0);
  clearInterval(trickle);
});
