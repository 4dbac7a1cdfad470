/**
 * A DNS server on loopback for tests, UDP and TCP on one port. It says what its script says, and remembers who asked:
 * which source ports and ids it saw, how many connections there were.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { decodeMessage } from '../../../dns/decode-message.ts';
import { encodeMessage } from '../../../dns/encode-message.ts';
import { FrameSplitter, frameMessage } from '../../../dns/frames.ts';
import type { Message, ResourceRecord } from '../../../dns/message.ts';
import { replyTo } from '../../../dns/reply.ts';
import { freePort } from '../../../net/testing/free-ports.ts';
import type { Transport } from '../exchange/go-error.ts';

export interface Asked {
  readonly query: Message;
  readonly transport: Transport;
  readonly sourceAddress: string;
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
  /** TLS connections that resumed a session. */
  resumed = 0;
  /** Of TLS clients that showed a certificate: its common name. */
  readonly clientNames: string[] = [];
  readonly serverNames: string[] = [];
  #script: Script;
  readonly #udp: UdpSocket = createSocket('udp4');
  readonly #tcp: Server;
  readonly #sockets = new Set<Socket>();

  /** With certificates it speaks TLS where it would speak TCP. */
  constructor(script: Script, tls?: TlsOptions) {
    this.#script = script;
    if (tls === undefined) this.#tcp = createServer((socket) => this.#accept(socket));
    else this.#tcp = createTlsServer(tls, (socket) => this.#acceptTls(socket));
    // Clients that do not like the certificate go away: that is what their tests look at.
    this.#tcp.on('tlsClientError', () => undefined);
  }

  /** Takes a free port, or the one given. */
  static async start(script: Script, port?: number, tls?: TlsOptions): Promise<FakeUpstream> {
    const upstream = new FakeUpstream(script, tls);
    await upstream.#open(port ?? (await freePort()));
    return upstream;
  }

  async #open(port: number): Promise<void> {
    this.#tcp.listen(port, '127.0.0.1');
    await once(this.#tcp, 'listening');
    this.#udp.on('message', (bytes, from) => {
      this.#receive(bytes, {
        transport: 'udp',
        sourceAddress: from.address,
        sourcePort: from.port,
        send: (reply) => this.#udp.send(reply, from.port, from.address),
        hangUp: () => undefined,
      });
    });
    this.#udp.bind(port, '127.0.0.1');
    await once(this.#udp, 'listening');
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

  #acceptTls(socket: TLSSocket): void {
    if (socket.isSessionReused()) this.resumed++;
    const { subject } = socket.getPeerCertificate();
    if (subject?.CN !== undefined) this.clientNames.push(String(subject.CN));
    // The types know the name a client asks for on its own side only.
    const { servername } = socket as { servername?: string | false };
    this.serverNames.push(servername || '');
    this.#accept(socket);
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
          sourceAddress: socket.remoteAddress ?? '',
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
