/**
 * One TCP connection to an upstream, shared by many questions at once (RFC 7766 section 6.2.1): answers are told apart
 * by id and may come in any order. It closes itself when idle, and takes no more questions once it looks dead: a
 * connection whose other end vanished without a word (a pod deleted behind a service address) stays open for minutes
 * and would swallow every question it is given.
 */
import { connect, type Socket } from 'node:net';
import { decodeHeader, decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { parseIp } from '../../net/ip.ts';
import { formatAddressPort } from '../../net/port.ts';
import type { Timer } from '../../telemetry/clock.ts';
import type { Exchanged, ExchangeTools } from './exchange.ts';
import { FrameReader, frame } from './frames.ts';
import { dialFailure, dialTimeout, endOfFile, type Path, readFailure, readTimeout } from './go-error.ts';
import type { UpstreamAddress } from './upstream-address.ts';

export interface ConnectionOptions extends ExchangeTools {
  readonly upstream: UpstreamAddress;
  /** Higher than that of every connection dialled before. */
  readonly serial: number;
  readonly dialTimeoutMs: number;
  readonly idleMs: number;
  readonly onOpen: () => void;
  readonly onClose: () => void;
}

interface Waiting {
  readonly settle: (outcome: Exchanged) => void;
  readonly asked: Message;
  /** The question came to a connection that others had opened. */
  readonly reused: boolean;
}

/** Longer than an answer from memory takes on any network of a cluster. */
const STALLED_MS = 50;

export class TcpConnection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #frames = new FrameReader();
  readonly #waiting = new Map<number, Waiting>();
  #state: 'dialling' | 'open' | 'closed' = 'dialling';
  #retired = false;
  /** Questions given to this connection and not yet settled, also those that wait for the dial. */
  #load = 0;
  #asked = 0;
  #chunks = 0;
  /** When the upstream last sent something, or was given a question after it had answered all. */
  #movedMs = 0;
  #idle: Timer | undefined;
  readonly #opened: Promise<Error | undefined>;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = connect({ host: options.upstream.address, port: options.upstream.port, noDelay: true });
    this.#opened = this.#dial();
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('end', () => this.#fail(endOfFile()));
    this.#socket.on('close', () => this.#fail(endOfFile()));
  }

  get serial(): number {
    return this.#options.serial;
  }

  get load(): number {
    return this.#load;
  }

  /**
   * The upstream lets a question wait. Many servers, CoreDNS among them, answer a connection's questions one after the
   * other: whatever is asked behind a slow one waits as long, and times out with it.
   */
  get stalled(): boolean {
    if (this.#load === 0 || this.#state !== 'open') return false;
    return this.#options.clock.monotonicMs() - this.#movedMs >= STALLED_MS;
  }

  /** False once it is closed or has let a question time out without a sign of life. */
  get usable(): boolean {
    return this.#state !== 'closed' && !this.#retired;
  }

  /** Rejects only when the query does not encode, which is our bug. */
  async ask(query: Message): Promise<Exchanged> {
    this.#idle?.cancel();
    if (this.#load++ === 0) this.#movedMs = this.#options.clock.monotonicMs();
    const reused = this.#asked++ > 0;
    try {
      const fault = await this.#opened;
      return fault ? { ok: false, error: fault } : await this.#exchange(query, reused);
    } finally {
      this.#load--;
      this.#rest();
    }
  }

  /** Takes no more questions from the pool; closes as soon as those it has are settled. */
  retire(): void {
    this.#retired = true;
    this.#rest();
  }

  close(): void {
    this.#fail(new Error('use of closed network connection'));
  }

  #dial(): Promise<Error | undefined> {
    const { clock, dialTimeoutMs } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.after(dialTimeoutMs, () => {
        resolve(dialTimeout(this.#path()));
        this.close();
      });
      this.#socket.once('connect', () => {
        timer.cancel();
        this.#state = 'open';
        this.#options.onOpen();
        resolve(undefined);
      });
      this.#socket.on('error', (cause) => {
        timer.cancel();
        resolve(dialFailure(this.#path(), cause));
        this.#fail(readFailure(this.#path(), cause));
      });
    });
  }

  #exchange(query: Message, reused: boolean): Promise<Exchanged> {
    if (this.#state === 'closed') return Promise.resolve(this.#broken(endOfFile(), reused));
    const asked: Message = { ...query, id: this.#freeId() };
    const framed = frame(encodeMessage(asked));
    const heard = this.#chunks;
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(this.#options.readTimeoutMs, () => {
        if (this.#chunks === heard) this.#retired = true;
        settle({ ok: false, error: readTimeout(this.#path()) });
      });
      const settle = (outcome: Exchanged): void => {
        timer.cancel();
        this.#waiting.delete(asked.id);
        resolve(outcome);
      };
      this.#waiting.set(asked.id, { settle, asked, reused });
      this.#socket.write(framed);
    });
  }

  #receive(chunk: Uint8Array): void {
    this.#chunks++;
    this.#movedMs = this.#options.clock.monotonicMs();
    for (const bytes of this.#frames.push(chunk)) {
      const header = decodeHeader(bytes);
      if (header === undefined) {
        this.#fail(new Error('dns: short read'));
        return;
      }
      const waiting = this.#waiting.get(header.id);
      if (waiting === undefined) continue;
      const decoded = decodeMessage(bytes);
      waiting.settle(
        decoded.ok
          ? { ok: true, reply: decoded.value }
          : { ok: false, error: new Error(`dns: ${decoded.reason ?? decoded.code}`) },
      );
    }
  }

  /** Ends the connection and everything that waits on it. Harmless when it is closed already. */
  #fail(error: Error): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#idle?.cancel();
    this.#socket.destroy();
    for (const { settle, reused } of this.#waiting.values()) settle(this.#broken(error, reused));
    this.#options.onClose();
  }

  #broken(error: Error, reused: boolean): Exchanged {
    return reused ? { ok: false, error, staleSerial: this.serial } : { ok: false, error };
  }

  /** With nothing left to wait for: close at once if nobody will ask again, otherwise after the idle time. */
  #rest(): void {
    if (this.#load > 0 || this.#state === 'closed') return;
    if (this.#retired) this.close();
    else this.#idle = this.#options.clock.after(this.#options.idleMs, () => this.close());
  }

  /** The pool keeps the load far below 65536, so a free id is found after a draw or two. */
  #freeId(): number {
    let id = this.#options.randomId();
    while (this.#waiting.has(id)) id = this.#options.randomId();
    return id;
  }

  #path(): Path {
    const { localAddress, localPort } = this.#socket;
    const ip = parseIp(localAddress ?? '');
    const local = ip === undefined || localPort === undefined ? undefined : formatAddressPort(ip, localPort);
    return { transport: 'tcp', local, remote: this.#options.upstream.text };
  }
}
