/**
 * One client's TCP connection. Queries are pipelined and answered as answers come (RFC 7766 section 6.2.1.1), all
 * answers of one chunk in one write. A client is bounded in everything: time to its first query, time between queries
 * (a trickle of bytes does not extend it), answers outstanding, bytes it leaves unread. Past a bound of quantity we stop
 * reading, past one of time we close.
 */
import type { Socket } from 'node:net';
import { FrameSplitter, frameMessage } from '../dns/frames.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import type { SocketAddress } from './handler.ts';
import type { Answer, Arrival } from './serve-query.ts';

/** dns-server 2.6. */
export const FIRST_QUERY_MS = 3_000;
export const IDLE_MS = 10_000;
export const WRITE_STALL_MS = 5_000;
/** Queries of one connection that may wait for the chain at once. */
export const MAX_OUTSTANDING = 128;

export interface TcpConnectionSpec {
  readonly socket: Socket;
  readonly client: SocketAddress;
  readonly local: SocketAddress;
  readonly clock: Clock;
  readonly serve: (arrival: Arrival) => Answer;
  /** The client spoke or was answered: it is not the one to evict. */
  readonly onActive: () => void;
}

export class TcpConnection {
  readonly #spec: TcpConnectionSpec;
  readonly #frames = new FrameSplitter();
  /** Whole messages that must wait until answers have gone out; at most what one chunk held. */
  #waiting: Uint8Array[] = [];
  #outstanding = 0;
  #halfClosed = false;
  #closing = false;
  #deadlineMs: number;
  #idleTimer: Timer;
  #stallTimer: Timer | undefined;

  constructor(spec: TcpConnectionSpec) {
    this.#spec = spec;
    this.#deadlineMs = spec.clock.monotonicMs() + FIRST_QUERY_MS;
    this.#idleTimer = spec.clock.after(FIRST_QUERY_MS, () => this.#checkDeadline());
    const { socket } = spec;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    socket.on('drain', () => this.#drained());
    socket.on('end', () => this.#ended());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#stopTimers());
  }

  /** Takes no more queries; closes once those in hand are answered. */
  finish(): void {
    this.#closing = true;
    this.#endWhenDone();
  }

  destroy(): void {
    this.#spec.socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#closing) return;
    const frames = this.#frames.push(chunk);
    if (frames.length > 0) this.#touch();
    for (const frame of frames) this.#waiting.push(frame);
    this.#serveWaiting();
  }

  #serveWaiting(): void {
    const { socket } = this.#spec;
    socket.cork();
    let next = 0;
    while (next < this.#waiting.length && this.#hasRoom()) this.#serveOne(this.#waiting[next++]);
    this.#waiting = this.#waiting.slice(next);
    socket.uncork();
    if (this.#waiting.length > 0 || this.#stallTimer !== undefined) socket.pause();
    else if (socket.isPaused()) socket.resume();
    this.#endWhenDone();
  }

  #hasRoom(): boolean {
    return this.#outstanding < MAX_OUTSTANDING && this.#stallTimer === undefined;
  }

  #serveOne(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) return;
    const { client, local, serve } = this.#spec;
    const answer = serve({ bytes, client, local, transport: 'tcp', receivedAtMs: performance.now() });
    if (!(answer instanceof Promise)) {
      this.#write(answer);
      return;
    }
    this.#outstanding++;
    void answer.then((settled) => {
      this.#outstanding--;
      this.#write(settled);
      this.#serveWaiting();
    });
  }

  #write(message: Uint8Array | undefined): void {
    const { socket, clock } = this.#spec;
    if (message === undefined || !socket.writable) return;
    this.#touch();
    const flushed = socket.write(frameMessage(message));
    if (!flushed) this.#stallTimer ??= clock.after(WRITE_STALL_MS, () => socket.destroy());
  }

  #drained(): void {
    this.#stallTimer?.cancel();
    this.#stallTimer = undefined;
    this.#serveWaiting();
  }

  /** The client has said all it will say, and still reads: `printf | nc` and dig's +keepopen do this. */
  #ended(): void {
    this.#halfClosed = true;
    this.#endWhenDone();
  }

  #endWhenDone(): void {
    const isDone = this.#outstanding === 0 && this.#waiting.length === 0;
    if ((this.#halfClosed || this.#closing) && isDone) this.#spec.socket.end();
  }

  #touch(): void {
    this.#deadlineMs = this.#spec.clock.monotonicMs() + IDLE_MS;
    this.#spec.onActive();
  }

  /** One timer per connection, set again only when it fires: a busy connection pays nothing for it. */
  #checkDeadline(): void {
    const leftMs = this.#deadlineMs - this.#spec.clock.monotonicMs();
    if (leftMs <= 0) this.#spec.socket.destroy();
    else this.#idleTimer = this.#spec.clock.after(leftMs, () => this.#checkDeadline());
  }

  #stopTimers(): void {
    this.#idleTimer.cancel();
    this.#stallTimer?.cancel();
    this.#waiting = [];
  }
}
