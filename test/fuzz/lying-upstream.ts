/** An upstream on loopback, UDP and TCP on one port, that lies as `upstream-answers.ts` says. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

import { FrameSplitter, frameMessage } from '../../src/dns/frames.ts';
import { freePorts } from '../../src/net/testing/free-ports.ts';
import { upstreamAnswer } from './upstream-answers.ts';
import { walkQuery } from './wire/strict-walk.ts';
import { idOf, u16At } from './wire/wire-fields.ts';

const OPCODE_AND_RD = 0x7900;
const RECEIVE_BYTES = 4 << 20;

export class LyingUpstream {
  asked = 0;
  /** What the forwarder asked is malformed: the first such query. */
  fault: string | undefined;
  readonly #udp: UdpSocket;
  /** Answers from here come from a port that was never asked. */
  readonly #other: UdpSocket;
  readonly #tcp: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(tcp: Server) {
    this.#tcp = tcp;
    this.#udp = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BYTES });
    this.#other = createSocket('udp4');
    tcp.on('connection', (socket) => this.#accept(socket));
    this.#udp.on('message', (bytes, from) => this.#receive(bytes, from));
    for (const socket of [this.#udp, this.#other]) socket.on('error', () => undefined);
  }

  static async start(): Promise<LyingUpstream> {
    const [port] = await freePorts(1);
    const tcp = createServer().listen(port, '127.0.0.1');
    await once(tcp, 'listening');
    const upstream = new LyingUpstream(tcp);
    upstream.#udp.bind(upstream.port, '127.0.0.1');
    await once(upstream.#udp, 'listening');
    return upstream;
  }

  get port(): number {
    const address = this.#tcp.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    this.#udp.close();
    this.#other.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#tcp.close();
  }

  #receive(bytes: Uint8Array, { port, address }: RemoteInfo): void {
    const said = this.#say(bytes, 'udp');
    // A port may be closed already when the last lie is on its way.
    for (const lie of said?.elsewhere ?? []) this.#other.send(lie, port, address, () => undefined);
    for (const message of said?.messages ?? []) this.#udp.send(message, port, address, () => undefined);
  }

  #accept(socket: Socket): void {
    const frames = new FrameSplitter();
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Uint8Array) => {
      for (const bytes of frames.push(chunk)) {
        const messages = this.#say(bytes, 'tcp')?.messages ?? [];
        socket.write(Buffer.concat(messages.map(frameMessage)));
      }
    });
  }

  #say(bytes: Uint8Array, transport: 'udp' | 'tcp') {
    this.asked++;
    const walked = walkQuery(bytes);
    if ('fault' in walked || walked.question === undefined || walked.left > 0) {
      this.fault ??= `the forwarder asked ${Buffer.from(bytes).toString('hex')}`;
      return undefined;
    }
    // The question is not compressed: the first name of a message cannot be.
    const end = 12 + (walked.question.indexOf(' ') >> 1);
    return upstreamAnswer({
      id: idOf(bytes),
      name: bytes.slice(12, end),
      type: u16At(bytes, end),
      class: u16At(bytes, end + 2),
      bits: u16At(bytes, 2) & OPCODE_AND_RD,
      hasOpt: walked.opt !== undefined,
      transport,
    });
  }
}
