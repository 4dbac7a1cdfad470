/**
 * Queries and replies as the bytes they are, for what dig cannot ask and does not show. Bytes are written as hex digits,
 * with blanks where one likes; `'www'` is a label with its length; in a pattern `..` is any byte and a last `*` any rest.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';

export interface RawExchange {
  /** UDP: a datagram each; TCP: all in one write, each behind its length (RFC 1035 section 4.2.2). */
  readonly messages: readonly Uint8Array[];
  readonly port: number;
  /** Ended as soon as so many replies are there; 0: what comes within `waitMs` is a surprise. */
  readonly replies: number;
  readonly waitMs: number;
}

export function parseBytes(text: string): Uint8Array {
  const parts = text.split(/('[^']*')/).flatMap((part) => {
    if (part.startsWith("'")) return [Buffer.from([part.length - 2]), Buffer.from(part.slice(1, -1))];
    const digits = part.replace(/\s+/g, '');
    if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hex: ${part}`);
    return [Buffer.from(digits, 'hex')];
  });
  return Buffer.concat(parts);
}

/** A regular expression for the hex digits of the bytes. */
export function bytesPattern(text: string): RegExp {
  const parts = text.split(/('[^']*')/).map((part) => {
    if (part.startsWith("'")) return Buffer.from(parseBytes(part)).toString('hex');
    return part
      .replace(/\s+/g, '')
      .toLowerCase()
      .replace('*', '@')
      .replaceAll('.', '[0-9a-f]')
      .replace('@', '.*');
  });
  return new RegExp(`^${parts.join('')}$`);
}

/** The replies in hex digits, as they came. */
export async function exchangeUdp(exchange: RawExchange): Promise<readonly string[]> {
  const socket = createSocket('udp4');
  const seen: string[] = [];
  const enough = new Promise<void>((resolve) => {
    socket.on('message', (bytes) => {
      if (seen.push(bytes.toString('hex')) === exchange.replies) resolve();
    });
  });
  for (const message of exchange.messages) socket.send(message, exchange.port, '127.0.0.1');
  await Promise.race([enough, pause(exchange.waitMs)]);
  socket.close();
  return seen;
}

export async function exchangeTcp(exchange: RawExchange): Promise<readonly string[]> {
  const socket = connect(exchange.port, '127.0.0.1');
  const seen: string[] = [];
  const enough = new Promise<void>((resolve) => {
    let held: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        if (seen.push(held.subarray(2, end).toString('hex')) === exchange.replies) resolve();
        held = held.subarray(end);
      }
    });
    // A server may end the connection instead of answering what it cannot read.
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
  const framed = exchange.messages.flatMap((message) => [
    Uint8Array.of(message.length >> 8, message.length & 255),
    message,
  ]);
  socket.write(Buffer.concat(framed));
  await Promise.race([enough, pause(exchange.waitMs)]);
  socket.destroy();
  return seen;
}

/**
 * How long the server lets a connection stand, in milliseconds, from the last of these messages on, or from the first
 * packet of the connection. The server's own time begins later, never earlier.
 */
export async function idleTime(messages: readonly Uint8Array[], port: number): Promise<number> {
  let since = performance.now();
  const socket = connect(port, '127.0.0.1').resume();
  await once(socket, 'connect');
  for (const message of messages) {
    since = performance.now();
    socket.write(Buffer.concat([Uint8Array.of(message.length >> 8, message.length & 255), message]));
    await once(socket, 'data');
  }
  socket.on('error', () => socket.destroy());
  await once(socket, 'close');
  return performance.now() - since;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
