/**
 * Test support: `node query-pump.ts ADDRESS` asks ADDRESS port 53 all the time, 2,000 queries a second over UDP and four
 * connections after each other over TCP, until its standard input ends. Then it waits for what is outstanding and prints
 * as JSON what became of it all.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { TYPE } from '../../../dns/codes.ts';
import { encodeMessage } from '../../../dns/encode-message.ts';
import { frameMessage } from '../../../dns/frames.ts';
import { parseName, ROOT } from '../../../dns/name.ts';
import { plainQuery } from '../../../dns/plain-query.ts';

export interface PumpResult {
  readonly udpSent: number;
  readonly udpAnswered: number;
  readonly tcpAnswered: number;
  readonly tcpFailed: readonly string[];
}

const SOCKETS = 8;
const TICK_MS = 4;
const TCP_STREAMS = 4;
const RECEIVE_BUFFER_BYTES = 1 << 20;
/** Fewer than any socket on the way has room for: a busy machine is slow, and loses nothing. */
const MOST_UNDER_WAY = 800;
const LAST_ANSWERS_MS = 5000;

const [address = ''] = process.argv.slice(2);
const open = new Set<string>();
const tcpFailed: string[] = [];
let [udpSent, udpAnswered, tcpAnswered] = [0, 0, 0];
let isOver = false;

const sockets = await Promise.all(
  Array.from({ length: SOCKETS }, async (_, i) => {
    const socket = createSocket('udp4');
    socket.bind(0);
    await once(socket, 'listening');
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    socket.on('message', (bytes) => {
      if (open.delete(`${i} ${bytes.readUInt16BE(0)}`)) udpAnswered++;
    });
    return socket;
  }),
);

function query(name: string, id: number): Buffer {
  const question = { name: parseName(name) ?? ROOT, type: TYPE.A };
  return Buffer.from(encodeMessage(plainQuery(question, { id })));
}

const timer = setInterval(() => {
  if (open.size > MOST_UNDER_WAY) return;
  for (const [i, socket] of sockets.entries()) {
    const id = udpSent++ & 0xffff;
    open.add(`${i} ${id}`);
    socket.send(query(id % 2 === 0 ? 'hot.example.org.' : `n${id}.example.org.`, id), 53, address);
  }
}, TICK_MS);

function askByTcp(bytes: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(53, address, () => socket.write(frameMessage(bytes)));
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    socket.end();
  });
  socket.on('error', (error) => (received > 0 ? resolve() : reject(error)));
  socket.on('close', () => (received > 0 ? resolve() : reject(new Error('closed without an answer'))));
  return promise;
}

const streams = Array.from({ length: TCP_STREAMS }, async (_, i) => {
  for (let number = 0; !isOver; number++) {
    await askByTcp(query(`t${i}-${number % 50}.example.org.`, number & 0xffff)).then(
      () => tcpAnswered++,
      (error: unknown) => tcpFailed.push(String(error)),
    );
    await pause(TICK_MS);
  }
});

console.log('ready');
process.stdin.resume();
await once(process.stdin, 'end');
clearInterval(timer);
isOver = true;
await Promise.all(streams);
for (let left = LAST_ANSWERS_MS; left > 0 && open.size > 0; left -= TICK_MS) await pause(TICK_MS);
console.log(JSON.stringify({ udpSent, udpAnswered, tcpAnswered, tcpFailed } satisfies PumpResult));
process.exit();
