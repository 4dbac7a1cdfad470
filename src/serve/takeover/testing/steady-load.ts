/** Clients that ask all the time, by UDP at a steady rate and by TCP one connection after the other, and count. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { encodeMessage } from '../../../dns/encode-message.ts';
import { frameMessage } from '../../../dns/frames.ts';
import { ask } from '../../../plugins/fake-query.ts';

const CLIENTS = 8;
const TICK_MS = 4;
const TCP_CLIENTS = 4;
const RECEIVE_BUFFER_BYTES = 1 << 20;
/** Half of what one socket of the server has room for: a server that is kept from the processor loses nothing either. */
const MOST_UNDER_WAY = 1000;

export interface SteadyLoad {
  readonly counts: { sent: number; answered: number; tcpAnswered: number; tcpFailed: string[] };
  /** No more questions from now on; answers are still counted. */
  stop(): Promise<void>;
  /** Calling it after `stop` is no harm. */
  close(): Promise<void>;
}

/** 2,000 queries a second by UDP, fewer while too many are unanswered: every other one for the same name. */
export async function startLoad(addresses: readonly string[], port: number): Promise<SteadyLoad> {
  const counts: SteadyLoad['counts'] = { sent: 0, answered: 0, tcpAnswered: 0, tcpFailed: [] };
  const open = new Set<number>();
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, i) => {
      const address = addresses[i % addresses.length] ?? '';
      const socket: Socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      socket.bind(0, address);
      await once(socket, 'listening');
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
      socket.on('message', (bytes) => {
        if (open.delete((i << 16) | bytes.readUInt16BE(0))) counts.answered++;
      });
      return { socket, address };
    }),
  );
  const timer = setInterval(() => {
    if (open.size > MOST_UNDER_WAY) return;
    for (const [i, { socket, address }] of clients.entries()) {
      const number = counts.sent++;
      const query = queryFor(
        number % 2 === 0 ? 'hot.example.org.' : `n${number}.example.org.`,
        number & 0xffff,
      );
      open.add((i << 16) | (number & 0xffff));
      socket.send(query, port, address);
    }
  }, TICK_MS);
  let isOver = false;
  const streams = Array.from({ length: TCP_CLIENTS }, async (_, i) => {
    const address = addresses[i % addresses.length] ?? '';
    for (let number = 0; !isOver; number++) {
      try {
        await askByTcp({ address, port }, queryFor(`t${i}-${number % 50}.example.org.`, number & 0xffff));
        counts.tcpAnswered++;
      } catch (error) {
        counts.tcpFailed.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  });
  const stop = async () => {
    clearInterval(timer);
    isOver = true;
    await Promise.all(streams);
  };
  return {
    counts,
    stop,
    async close() {
      await stop();
      for (const { socket } of clients) socket.close();
    },
  };
}

function queryFor(name: string, id: number): Buffer {
  const bytes = Buffer.from(encodeMessage(ask(name).message));
  bytes.writeUInt16BE(id, 0);
  return bytes;
}

function askByTcp({ address, port }: { address: string; port: number }, query: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(port, address, () => socket.write(frameMessage(query)));
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    socket.end();
  });
  socket.on('error', reject);
  socket.on('close', () => (received > 0 ? resolve() : reject(new Error('closed without an answer'))));
  return promise;
}
