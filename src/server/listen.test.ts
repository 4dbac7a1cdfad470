/** Real sockets on loopback, real clients. */
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { encodeMessage } from '../dns/encode-message.ts';
import { FrameSplitter, frameMessage } from '../dns/frames.ts';
import type { Message } from '../dns/message.ts';
import { ip, name, queryFor } from '../dns/testing/packets.ts';
import { systemClock } from '../telemetry/clock.ts';
import type { Handler } from './handler.ts';
import { type Listener, type ListenerSpec, startListener } from './listen.ts';
import { memoryLog } from './testing/log.ts';
import { countingHandler, decoded, slowHandler } from './testing/replies.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

async function start(handler: Handler, fields: Partial<ListenerSpec> = {}): Promise<Listener> {
  const listener = await startListener({
    address: ip('127.0.0.1'),
    port: 0,
    server: 'dns://127.0.0.1:0',
    routes: [{ zones: [name('.')], handler }],
    log: memoryLog(),
    clock: systemClock,
    ...fields,
  });
  open.push({ close: () => listener.close(0) });
  return listener;
}

async function askUdp(listener: Listener, query: Message, host = '127.0.0.1') {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.send(encodeMessage(query), listener.port, host);
    const [bytes, from] = await once(socket, 'message');
    return { reply: decoded(bytes), from: from.address as string };
  } finally {
    socket.close();
  }
}

/** Sends from a process of its own and waits for it, so that nothing is read meanwhile. */
function sendUnread(listener: Listener, count: number): void {
  const program = `
    const socket = require('node:dgram').createSocket('udp4');
    const wire = Buffer.from(${JSON.stringify(Buffer.from(encodeMessage(queryFor('a.test.'))).toString('base64'))}, 'base64');
    let left = ${count};
    const send = () => socket.send(wire, ${listener.port}, '127.0.0.1', () => --left > 0 ? send() : socket.close());
    send();`;
  execFileSync(process.execPath, ['-e', program]);
}

/**
 * Connections from another process, a query in each, made while this one does nothing: they lie in the kernel when it
 * returns. Resolves with how many of them were answered.
 */
function connectUnread(listener: Listener, count: number): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'zerohop-listen-'));
  const connected = join(directory, 'connected');
  const wire = Buffer.from(frameMessage(encodeMessage(queryFor('a.test.')))).toString('base64');
  const program = `
    const { connect } = require('node:net');
    const { writeFileSync } = require('node:fs');
    const wire = Buffer.from('${wire}', 'base64');
    let [written, answered, over] = [0, 0, 0];
    for (let i = 0; i < ${count}; i++) {
      const socket = connect(${listener.port}, '127.0.0.1', () => {
        socket.write(wire, () => ++written === ${count} && writeFileSync('${connected}', ''));
      });
      socket.on('data', () => { answered++; socket.end(); });
      socket.on('error', () => undefined);
      socket.on('close', () => ++over === ${count} && console.log(answered));
    }`;
  const child = spawn(process.execPath, ['-e', program]);
  const answered = once(child.stdout, 'data').then(([text]) => Number(text));
  const nap = new Int32Array(new SharedArrayBuffer(4));
  for (let left = 4000; left > 0 && !existsSync(connected); left--) Atomics.wait(nap, 0, 0, 5);
  rmSync(directory, { recursive: true });
  return answered;
}

async function dial(listener: Listener, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: listener.port, host, allowHalfOpen: true });
  open.push({ close: () => socket.destroy() });
  await once(socket, 'connect');
  return socket;
}

/** Messages from `socket` until there are `count` or it ends. */
async function receive(socket: Socket, count: number): Promise<Message[]> {
  const splitter = new FrameSplitter();
  const messages: Message[] = [];
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    messages.push(...splitter.push(chunk).map(decoded));
    if (messages.length >= count) break;
  }
  return messages;
}

/** Turns of the loop as well: a timer alone may be due before sockets are read, in a process that was put off. */
async function arrived(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const framed = (qname: string, id: number) => frameMessage(encodeMessage(queryFor(qname, { id })));

test('UDP: a query is answered from the address that was asked', async () => {
  const listener = await start(countingHandler);
  expect(listener.addresses).toEqual([{ address: '127.0.0.1', port: listener.port }]);
  const { reply, from } = await askUdp(listener, queryFor('Some.Name', { id: 4242 }));
  expect(reply).toMatchObject({ id: 4242, questions: [{ name: 'Some.Name.' }] });
  expect(from).toBe('127.0.0.1');
});

test('UDP: what is no query gets no answer and harms nothing', async () => {
  const listener = await start(countingHandler);
  const socket = createSocket('udp4');
  open.push(socket);
  for (const junk of [Buffer.alloc(0), Buffer.alloc(11), Buffer.alloc(5000, 0xff)]) {
    socket.send(junk, listener.port, '127.0.0.1');
  }
  expect((await askUdp(listener, queryFor('a'))).reply.rcode).toBe(0);
});

test('TCP: queries that come in one write are all answered on the same connection', async () => {
  const socket = await dial(await start(countingHandler));
  socket.write(Buffer.concat([framed('a', 1), framed('2.b', 2), framed('c', 3)]));
  expect((await receive(socket, 3)).map((reply) => [reply.id, reply.answers.length])).toEqual([
    [1, 1],
    [2, 2],
    [3, 1],
  ]);
});

test('TCP: a query that comes byte by byte is answered', async () => {
  const socket = await dial(await start(countingHandler));
  socket.setNoDelay(true);
  for (const byte of framed('a', 5)) {
    socket.write(Uint8Array.of(byte));
    await new Promise(setImmediate);
  }
  expect((await receive(socket, 1))[0]?.id).toBe(5);
});

test('TCP: a slow answer does not hold up a quick one behind it (RFC 7766 section 6.2.1.1)', async () => {
  const socket = await dial(await start(slowHandler));
  socket.write(Buffer.concat([framed('150', 1), framed('1', 2)]));
  expect((await receive(socket, 2)).map((reply) => reply.id)).toEqual([2, 1]);
});

test('TCP: a client that has finished sending still gets its answers, then the end', async () => {
  const socket = await dial(await start(slowHandler));
  socket.end(Buffer.concat([framed('30', 1), framed('10', 2)]));
  expect((await receive(socket, 99)).map((reply) => reply.id)).toEqual([2, 1]);
});

test('TCP: thousands of pipelined queries are all answered', async () => {
  const socket = await dial(await start(slowHandler));
  const count = 3000;
  socket.write(Buffer.concat(Array.from({ length: count }, (_, id) => framed('1', id))));
  const ids = (await receive(socket, count)).map((reply) => reply.id);
  expect(new Set(ids).size).toBe(count);
});

test('without an address both families answer, each on its own', async () => {
  const listener = await startListener({
    port: 0,
    server: 'dns://:53',
    routes: [{ zones: [name('.')], handler: countingHandler }],
    log: memoryLog(),
    clock: systemClock,
  });
  open.push({ close: () => listener.close(0) });
  for (const { address } of listener.addresses) {
    const host = address === '::' ? '::1' : '127.0.0.1';
    expect((await askUdp(listener, queryFor('a'), host)).from).toBe(host);
    const socket = await dial(listener, host);
    socket.write(framed('a', 6));
    expect((await receive(socket, 1))[0]?.id).toBe(6);
  }
});

test('configure changes the answers and keeps open connections', async () => {
  const listener = await start(countingHandler);
  const socket = await dial(listener);
  socket.write(framed('a', 1));
  expect((await receive(socket, 1))[0]?.rcode).toBe(0);
  listener.configure({ routes: [] });
  socket.write(framed('a', 2));
  expect((await receive(socket, 1))[0]?.rcode).toBe(5);
  expect((await askUdp(listener, queryFor('a'))).reply.rcode).toBe(5);
});

test('close answers what is in hand, UDP and TCP, and then refuses', async () => {
  const listener = await start(slowHandler);
  const socket = await dial(listener);
  socket.write(framed('80', 1));
  const udp = askUdp(listener, queryFor('80'));
  await arrived();
  const closed = listener.close(5000);
  expect((await receive(socket, 99)).map((reply) => reply.id)).toEqual([1]);
  socket.end();
  expect((await udp).reply.rcode).toBe(0);
  await closed;
  const late = connect({ port: listener.port, host: '127.0.0.1' });
  await expect(once(late, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('close does not wait longer than its grace for a chain that never answers', async () => {
  const listener = await start(() => new Promise(() => undefined));
  const socket = await dial(listener);
  socket.on('error', () => undefined);
  socket.write(framed('a', 1));
  await arrived();
  await Promise.all([listener.close(50), once(socket.resume(), 'end')]);
});

test('two listeners share a port, as two processes do during a hand-over', async () => {
  const first = await start(countingHandler);
  const second = await start(countingHandler, { port: first.port });
  await first.close(0);
  expect((await askUdp(second, queryFor('a'))).reply.rcode).toBe(0);
});

test('a port that another program holds is refused by name, with a hint, and nothing stays open', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  open.push(holder);
  await once(holder, 'listening');
  const port = (holder.address() as { port: number }).port;
  await expect(start(countingHandler, { port })).rejects.toMatchObject({
    code: 'SERVER_ADDRESS_IN_USE',
    message: `Cannot listen on tcp 127.0.0.1:${port}: the address is in use: received EADDRINUSE`,
    hint: expect.stringContaining('ss -l'),
  });
});

test('an address that no interface has is refused by name', async () => {
  await expect(start(countingHandler, { address: ip('192.0.2.99') })).rejects.toMatchObject({
    code: 'SERVER_ADDRESS_MISSING',
    message: expect.stringContaining('Cannot listen on tcp 192.0.2.99:0: no interface has this address'),
  });
});

test('closing: what has arrived but was not read yet is answered first', async () => {
  let served = 0;
  const listener = await start((query) => {
    served++;
    return countingHandler(query);
  });
  sendUnread(listener, 10);
  await listener.close(5000);
  expect(served).toBe(10);
});

test('close answers connections that wait in the kernel, however many there are', async () => {
  const listener = await start(countingHandler);
  const answered = connectUnread(listener, 60);
  await listener.close(5000);
  expect(await answered).toBe(60);
});
