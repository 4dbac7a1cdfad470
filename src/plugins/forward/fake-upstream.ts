/**
 * A DNS server on loopback for tests, UDP and TCP on one port. It says what its script says, and remembers who asked:
 * which source ports and ids it saw, how many connections there were.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import { FrameSplitter, frameMessage } from '../../dns/frames.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Transport } from './exchange/go-error.ts';

export interface Asked {
  readonly query: Message;
  readonly transport: Transport;
  readonly sourcePort: number;
  /** Sends bytes to the asker; the script may do so several times, late, or never. */
  send(bytes: Uint8Array): void;
  /** TCP: ends the connection. */
  hangUp(): void;
}

export type Script = (asked: Asked) => void;

export class FakeUpstream {
  readonly asked: Asked[] = [];
  connections = 0;
  #script: Script;
  readonly #udp: UdpSocket = createSocket('udp4');
  readonly #tcp: Server = createServer((socket) => this.#accept(socket));
  readonly #sockets = new Set<Socket>();

  constructor(script: Script) {
    this.#script = script;
  }

  /** Takes a free port, or the one given. */
  static async start(script: Script, port = 0): Promise<FakeUpstream> {
    const upstream = new FakeUpstream(script);
    await new Promise<void>((resolve) => upstream.#tcp.listen(port, '127.0.0.1', resolve));
    upstream.#udp.on('message', (bytes, from) => {
      upstream.#receive(bytes, {
        transport: 'udp',
        sourcePort: from.port,
        send: (reply) => upstream.#udp.send(reply, from.port, from.address),
        hangUp: () => undefined,
      });
    });
    await new Promise<void>((resolve) => upstream.#udp.bind(upstream.port, '127.0.0.1', resolve));
    return upstream;
  }

  get port(): number {
    const address = this.#tcp.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** TCP connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  get text(): string {
    return `127.0.0.1:${this.port}`;
  }

  script(script: Script): void {
    this.#script = script;
  }

  /** Ends the TCP connections there are, as a server does that restarts. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.end();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.close(resolve)),
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
    ]);
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    const frames = new FrameSplitter();
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      for (const bytes of frames.push(chunk)) {
        this.#receive(bytes, {
          transport: 'tcp',
          sourcePort: socket.remotePort ?? 0,
          send: (reply) => socket.write(frameMessage(reply)),
          hangUp: () => socket.end(),
        });
      }
    });
  }

  #receive(bytes: Uint8Array, from: Omit<Asked, 'query'>): void {
    const decoded = decodeMessage(bytes);
    if (!decoded.ok) throw new Error(`the forwarder sent what does not decode: ${decoded.code}`);
    const asked = { ...from, query: decoded.value };
    this.asked.push(asked);
    this.#script(asked);
  }
}

/** Answers every question with these records. */
export function answering(answers: readonly ResourceRecord[], change: Partial<Message> = {}): Script {
  return ({ query, send }) =>
    send(encodeMessage({ ...replyTo(query, { answers, recursionAvailable: true }), ...change }));
}

export const silent: Script = () => undefined;
