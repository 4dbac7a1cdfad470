/** The bounds of a TCP client, with a clock that the test turns and real sockets. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { encodeMessage } from '../dns/encode-message.ts';
import { frameMessage } from '../dns/frames.ts';
import { ip, queryFor } from '../dns/testing/packets.ts';
import type { Answer } from './serve-query.ts';
import { openTcp, type TcpListener, type TcpListenerSpec } from './tcp.ts';
import { PAUSE_MS } from './tcp-connection.ts';
import { HandClock } from './testing/clock.ts';

const listeners: TcpListener[] = [];
const clients: Socket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const listener of listeners.splice(0)) {
    const closed = listener.close();
    listener.destroy();
    await closed;
  }
});

interface Started {
  readonly clock: HandClock;
  readonly port: number;
}

async function start(serve: () => Answer, fields: Partial<TcpListenerSpec> = {}): Promise<Started> {
  const clock = new HandClock();
  const local = { address: ip('127.0.0.1'), port: 0 };
  const listener = await openTcp({ local, clock, serve, ...fields });
  listeners.push(listener);
  return { clock, port: listener.local.port };
}

/** Connected, and known to the server, which has then set the connection's timer. */
async function dial({ clock, port }: Started): Promise<Socket> {
  const before = clock.pending;
  const client = connect({ port, host: '127.0.0.1' });
  clients.push(client);
  client.on('error', () => undefined);
  await expect.poll(() => clock.pending).toBe(before + 1);
  return client;
}

const QUERY = frameMessage(encodeMessage(queryFor('a')));
const REPLY = new Uint8Array(12);

async function exchange(client: Socket): Promise<void> {
  client.write(QUERY);
  await once(client, 'data');
}

const isClosed = (client: Socket) => client.destroyed || client.readableEnded;
const closeOf = async (client: Socket) => void (client.closed || (await once(client, 'close')));
/** Turns of the loop as well: a timer alone may be due before sockets are read, in a process that was put off. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 30));
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('a client that never asks is closed after 3 s', async () => {
  const server = await start(() => REPLY);
  const client = await dial(server);
  server.clock.turn(2_990);
  await settle();
  expect(isClosed(client)).toBe(false);
  server.clock.turn(20);
  await closeOf(client);
});

test('a client whose query has arrived is answered, though the server was held up for longer than it may wait', async () => {
  const server = await start(() => REPLY);
  const client = await dial(server);
  for (const heldUpMs of [3_010, 10_010]) {
    // From here on as in a timer: what is written has arrived, and nobody has looked yet.
    await settle();
    client.write(QUERY);
    server.clock.turn(heldUpMs);
    await once(client, 'data');
  }
  server.clock.turn(10_010);
  await closeOf(client);
});

test('a client is closed 10 s after its last query, and each query starts them anew', async () => {
  const server = await start(() => REPLY);
  const client = await dial(server);
  await exchange(client);
  server.clock.turn(9_000);
  await exchange(client);
  server.clock.turn(9_990);
  await settle();
  expect(isClosed(client)).toBe(false);
  server.clock.turn(20);
  await closeOf(client);
});

test('bytes that trickle in without completing a query buy no time', async () => {
  const server = await start(() => REPLY);
  const client = await dial(server);
  for (const byte of QUERY.subarray(0, 6)) {
    client.write(Uint8Array.of(byte));
    await settle();
    server.clock.turn(510);
  }
  await closeOf(client);
});

test('at the limit of connections the one silent longest makes room', async () => {
  const server = await start(() => REPLY, { maxConnections: 2 });
  const first = await dial(server);
  const second = await dial(server);
  await exchange(first);
  // The second's timer goes as the third's comes: wait for the second's end instead of counting.
  const third = connect({ port: server.port, host: '127.0.0.1' });
  clients.push(third);
  await closeOf(second);
  await exchange(first);
  await exchange(third);
});

test('a client that does not read its answers is no longer read from, and closed after 5 s', async () => {
  let served = 0;
  const large = new Uint8Array(60_000);
  const server = await start(() => {
    served++;
    return large;
  });
  const client = await dial(server);
  client.pause();
  const count = 2_000;
  for (let i = 0; i < count; i++) client.write(QUERY);
  for (let before = -1; before !== served; await settle()) before = served;
  expect(served).toBeLessThan(count / 2);
  server.clock.turn(5_010);
  client.resume();
  await closeOf(client);
});

test('a client may have 128 queries waiting; the others wait in its own connection and are answered later', async () => {
  const waiting: ((bytes: Uint8Array) => void)[] = [];
  const server = await start(() => new Promise((resolve) => waiting.push(resolve)));
  const client = await dial(server);
  client.write(Buffer.concat(Array.from({ length: 200 }, () => QUERY)));
  await expect.poll(() => waiting.length).toBe(128);
  await settle();
  expect(waiting).toHaveLength(128);
  for (const answer of waiting.splice(0)) answer(REPLY);
  await expect.poll(() => waiting.length).toBe(72);
});

test('the time bounds are those that the operator sets', async () => {
  const server = await start(() => REPLY, { timeouts: { readMs: 60_000, idleMs: 30_000 } });
  const client = await dial(server);
  server.clock.turn(50_000);
  await exchange(client);
  server.clock.turn(29_000);
  await settle();
  expect(isClosed(client)).toBe(false);
  server.clock.turn(1_010);
  await closeOf(client);
});

test('a connection ends with the answer to the last query that it may ask', async () => {
  const server = await start(() => REPLY, { timeouts: { maxTcpQueries: 2 } });
  const client = await dial(server);
  await exchange(client);
  await exchange(client);
  await closeOf(client);
});

test('a query that is announced to be long is not waited for', async () => {
  const server = await start(() => REPLY);
  const client = await dial(server);
  client.write(Buffer.concat([QUERY, Uint8Array.of(0xff, 0xff), new Uint8Array(20_000)]));
  await closeOf(client);
});

test('answers that come in one turn leave in one write', async () => {
  const waiting: ((bytes: Uint8Array) => void)[] = [];
  const server = await start(() => new Promise((resolve) => waiting.push(resolve)));
  const client = await dial(server);
  const chunks: Buffer[] = [];
  client.on('data', (chunk: Buffer) => chunks.push(chunk));
  client.write(Buffer.concat(Array.from({ length: 50 }, () => QUERY)));
  await expect.poll(() => waiting.length).toBe(50);
  for (const answer of waiting) answer(REPLY);
  await expect.poll(() => Buffer.concat(chunks).length).toBe(50 * (REPLY.length + 2));
  expect(chunks).toHaveLength(1);
});

/** A first message and then `count` of 32 KB. */
function transfer(count: number) {
  const state = { made: 0, ended: false };
  const more = (function* () {
    try {
      for (; state.made < count; state.made++) yield new Uint8Array(32_768);
    } finally {
      state.ended = true;
    }
  })();
  return { state, answer: { bytes: REPLY, more } };
}

test('a long answer is made no faster than the client takes it, and other answers do not wait for its end', async () => {
  const { state, answer } = transfer(2_000);
  const answers: Answer[] = [answer];
  const server = await start(() => answers.shift() ?? REPLY);
  const client = await dial(server);
  client.pause();
  client.write(QUERY);
  for (let before = -1; before !== state.made; await settle()) before = state.made;
  expect(state.made).toBeLessThan(500);
  let received = 0;
  client.on('data', (chunk) => {
    received += chunk.length;
  });
  client.end(QUERY);
  client.resume();
  await once(client, 'end');
  expect(received).toBe(2 * (REPLY.length + 2) + 2_000 * (32_768 + 2));
  expect(state.ended).toBe(true);
});

test('a client that leaves a long answer unread is closed, and the answer ended', async () => {
  const { state, answer } = transfer(2_000);
  const server = await start(() => answer);
  const client = await dial(server);
  client.pause();
  client.write(QUERY);
  for (let before = -1; before !== state.made; await settle()) before = state.made;
  server.clock.turn(5_010);
  client.resume();
  await closeOf(client);
  await expect.poll(() => state.ended).toBe(true);
});

test('a long answer that cannot go on ends the connection', async () => {
  const more = [new Uint8Array(100), undefined][Symbol.iterator]();
  const server = await start(() => ({ bytes: REPLY, more }));
  const client = await dial(server);
  client.resume();
  client.write(QUERY);
  await closeOf(client);
});

test('who makes the listener hold too much loses his connection, and gives the room back to the others', async () => {
  const waiting: ((bytes: Uint8Array) => void)[] = [];
  const hold = () => new Promise<Uint8Array>((resolve) => waiting.push(resolve));
  const server = await start(hold, { maxHeldBytes: 10_000 });
  for (let round = 0; round < 3; round++) {
    const greedy = await dial(server);
    greedy.write(Buffer.concat(Array.from({ length: 1_000 }, () => QUERY)));
    await closeOf(greedy);
    await expect.poll(() => server.clock.pending).toBe(0);
  }
  const modest = await dial(server);
  modest.write(Buffer.concat(Array.from({ length: 200 }, () => QUERY)));
  waiting.length = 0;
  await expect.poll(() => waiting.length).toBe(128);
  for (const answer of waiting.splice(0)) answer(REPLY);
  await expect.poll(() => waiting.length).toBe(72);
});

test('closed, a client that goes on asking is left right behind an answer', async () => {
  const server = await start(() => REPLY);
  const client = await dial(server);
  await exchange(client);
  const closed = listeners[0]?.close();
  server.clock.turn(PAUSE_MS - 50);
  await settle();
  expect(isClosed(client)).toBe(false);
  await exchange(client);
  await Promise.all([closeOf(client), closed]);
});

test('closed, what a client has pipelined behind a slow answer is answered before it is left', async () => {
  const slow = Promise.withResolvers<Uint8Array>();
  const answers: Answer[] = [slow.promise, REPLY, REPLY];
  const server = await start(() => answers.shift());
  const client = await dial(server);
  client.write(QUERY);
  await settle();
  void listeners[0]?.close();
  await exchange(client);
  await exchange(client);
  expect(isClosed(client)).toBe(false);
  slow.resolve(REPLY);
  await once(client, 'data');
  await closeOf(client);
});

test('closed, a client that says no more is left after its pause', async () => {
  const server = await start(() => REPLY);
  const client = await dial(server);
  await exchange(client);
  const closed = listeners[0]?.close();
  server.clock.turn(PAUSE_MS + 50);
  await Promise.all([closeOf(client), closed]);
});

test('gently closed, a client that has just connected or asked may go on until it pauses', async () => {
  const server = await start(() => REPLY);
  const [busy, fresh] = [await dial(server), await dial(server)];
  await exchange(busy);
  const closed = listeners[0]?.close({ gently: true });
  for (let i = 0; i < 5; i++) {
    server.clock.turn(PAUSE_MS - 50);
    await exchange(busy);
    if (i === 0) await exchange(fresh);
  }
  expect(isClosed(busy)).toBe(false);
  server.clock.turn(PAUSE_MS + 50);
  await Promise.all([closeOf(busy), closeOf(fresh), closed]);
});

test('gently closed, a client that waits for an answer gets it', async () => {
  const answer = Promise.withResolvers<Uint8Array>();
  const server = await start(() => answer.promise);
  const client = await dial(server);
  client.write(QUERY);
  await settle();
  void listeners[0]?.close({ gently: true });
  server.clock.turn(4 * PAUSE_MS);
  await settle();
  expect(isClosed(client)).toBe(false);
  answer.resolve(REPLY);
  await once(client, 'data');
  server.clock.turn(PAUSE_MS + 50);
  await closeOf(client);
});
