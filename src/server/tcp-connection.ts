/**
 * One client's TCP or DoT connection. Queries are pipelined and answered as answers come (RFC 7766 section 6.2.1.1), all
 * answers of one turn in one write. A client is bounded in everything: time to its first query, time between queries (a
 * trickle of bytes does not extend it), queries, answers outstanding, bytes it leaves unread. Past a bound of quantity
 * we stop reading, past one of time we close.
 */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { FrameSplitter, frameMessage } from '../dns/frames.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import type { SocketAddress } from './handler.ts';
import type { ListenerTimeouts } from './listener-options.ts';
import type { Answer, Arrival, LongAnswer, Outcome } from './serve-query.ts';

/** dns-server 2.6. */
export const FIRST_QUERY_MS = 3_000;
export const IDLE_MS = 10_000;
export const WRITE_STALL_MS = 5_000;
/**
 * Of an unfinished query. Real ones are a few hundred bytes; without the bound, every connection could make us hold 64 KB
 * for as long as it may be silent.
 */
export const MAX_HELD_BYTES = 4_096;
/** A client that has said nothing for so long, and waits for nothing, can be left without cutting it short. */
export const PAUSE_MS = 1000;
/** Queries of one connection that may wait for the chain at once. */
export const MAX_OUTSTANDING = 128;

export interface TcpConnectionSpec {
  readonly socket: Socket;
  readonly client: SocketAddress;
  readonly local: SocketAddress;
  readonly clock: Clock;
  readonly timeouts: ListenerTimeouts;
  readonly serve: (arrival: Arrival) => Answer;
  /** The client spoke or was answered: it is not the one to evict. */
  readonly onActive: () => void;
  /** What is held for the client has grown by so many bytes, or shrunk; false when that is too much for the listener. */
  readonly onHeld: (bytes: number) => boolean;
}

export class TcpConnection {
  readonly #spec: TcpConnectionSpec;
  readonly #frames = new FrameSplitter();
  /** Whole messages that must wait until answers have gone out; at most what one chunk held. */
  #waiting: Uint8Array[] = [];
  /** Answers of several messages, the first one being sent. */
  #long: LongAnswer['more'][] = [];
  #outstanding = 0;
  /** Bytes of queries that wait and of answers that a stalled client leaves unread, as last told. */
  #heldBytes = 0;
  /** Undefined: no limit. */
  #queriesLeft: number | undefined;
  #corked = false;
  #halfClosed = false;
  #closing = false;
  /** `answered`: something has been since it was asked to leave, so it closes as soon as nothing is outstanding. */
  #leaving: 'no' | 'asked' | 'answered' = 'no';
  #deadlineMs: number;
  /** When the client last spoke or was answered; a connection that is just made speaks soon. */
  #spokenMs: number;
  #idleTimer: Timer;
  #stallTimer: Timer | undefined;

  constructor(spec: TcpConnectionSpec) {
    const { socket, clock, timeouts } = spec;
    const firstQueryMs = timeouts.readMs ?? FIRST_QUERY_MS;
    this.#spec = spec;
    this.#queriesLeft = timeouts.maxTcpQueries || undefined;
    this.#spokenMs = clock.monotonicMs();
    this.#deadlineMs = this.#spokenMs + firstQueryMs;
    this.#idleTimer = clock.after(firstQueryMs, () => afterReading(() => this.#checkDeadline()));
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    socket.on('drain', () => this.#drained());
    socket.on('end', () => this.#ended());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#closed());
  }

  /**
   * Leaves where the client notices least: right behind the answer to its next query, when it cannot have asked anew yet,
   * or once it has been silent for PAUSE_MS. Closed at any other time, a query on its way would meet a closed door.
   */
  finish(): void {
    if (this.#quietMs() >= PAUSE_MS || this.#spec.socket.destroyed) {
      this.#finishNow();
      return;
    }
    if (this.#leaving !== 'no') return;
    this.#leaving = 'asked';
    const lookAgain = () => afterReading(() => this.#finishNow());
    this.#spec.clock.after(PAUSE_MS - this.#quietMs(), lookAgain);
  }

  /** Takes no more queries; closes once those in hand are answered. */
  #finishNow(): void {
    this.#closing = true;
    this.#endWhenDone();
  }

  /** As `finish`, once the client pauses. */
  finishGently(): void {
    if (this.#mayLeave()) {
      this.#finishNow();
      return;
    }
    const leftMs = this.#spokenMs + PAUSE_MS - this.#spec.clock.monotonicMs();
    const lookAgain = () => afterReading(() => this.finishGently());
    this.#spec.clock.after(Math.max(leftMs, PAUSE_MS / 10), lookAgain);
  }

  #mayLeave(): boolean {
    return this.#spec.socket.destroyed || (this.#quietMs() >= PAUSE_MS && this.#outstanding === 0);
  }

  #quietMs(): number {
    return this.#spec.clock.monotonicMs() - this.#spokenMs;
  }

  destroy(): void {
    this.#spec.socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#closing) return;
    const frames = this.#frames.push(chunk);
    if (this.#frames.heldBytes > MAX_HELD_BYTES) {
      this.destroy();
      return;
    }
    if (frames.length > 0) this.#touch();
    for (const frame of frames) this.#waiting.push(frame);
    this.#serveWaiting();
  }

  #serveWaiting(): void {
    const { socket } = this.#spec;
    socket.cork();
    let next = 0;
    while (next < this.#waiting.length && this.#hasRoom()) this.#serveOne(this.#waiting[next++]);
    this.#waiting = this.#queriesLeft === 0 ? [] : this.#waiting.slice(next);
    socket.uncork();
    if (this.#waiting.length > 0 || this.#stallTimer !== undefined) socket.pause();
    else if (socket.isPaused()) socket.resume();
    this.#tellHeld();
    this.#endWhenDone();
  }

  #hasRoom(): boolean {
    return this.#queriesLeft !== 0 && this.#outstanding < MAX_OUTSTANDING && this.#stallTimer === undefined;
  }

  #serveOne(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) return;
    const { client, local, serve } = this.#spec;
    if (this.#queriesLeft !== undefined && --this.#queriesLeft === 0) this.#closing = true;
    const answer = serve({ bytes, client, local, transport: 'tcp', receivedAtMs: performance.now() });
    if (!(answer instanceof Promise)) {
      this.#send(answer);
      return;
    }
    this.#outstanding++;
    void answer.then((settled) => {
      this.#outstanding--;
      this.#corkTurn();
      this.#send(settled);
      this.#serveWaiting();
    });
  }

  /** What else is answered in this turn of the event loop goes out in the same write. */
  #corkTurn(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#spec.socket.cork();
    setImmediate(() => {
      this.#corked = false;
      this.#spec.socket.uncork();
    });
  }

  #send(outcome: Outcome): void {
    if (outcome === undefined || outcome instanceof Uint8Array) {
      this.#write(outcome);
      return;
    }
    this.#write(outcome.bytes);
    this.#outstanding++;
    if (this.#long.push(outcome.more) === 1) setImmediate(() => this.#sendLong());
  }

  /** As much as the client takes at once, then again when it has taken that: a zone is never in memory as a whole. */
  #sendLong(): void {
    const { socket } = this.#spec;
    while (this.#stallTimer === undefined && socket.writable) {
      const [more] = this.#long;
      const next = more?.next();
      if (next === undefined) return;
      if (next.done) {
        this.#long.shift();
        this.#outstanding--;
        this.#serveWaiting();
      } else if (next.value === undefined) {
        socket.destroy();
      } else {
        this.#write(next.value);
      }
    }
    this.#tellHeld();
  }

  #tellHeld(): void {
    let bytes = this.#stallTimer === undefined ? 0 : this.#spec.socket.writableLength;
    for (const { length } of this.#waiting) bytes += length;
    const grown = bytes - this.#heldBytes;
    this.#heldBytes = bytes;
    if (grown !== 0 && !this.#spec.onHeld(grown)) this.destroy();
  }

  #write(message: Uint8Array | undefined): void {
    const { socket, clock, timeouts } = this.#spec;
    if (message === undefined || !socket.writable) return;
    this.#touch();
    if (this.#leaving === 'asked') this.#leaving = 'answered';
    const flushed = socket.write(frameMessage(message));
    if (flushed) return;
    this.#stallTimer ??= clock.after(timeouts.writeMs ?? WRITE_STALL_MS, () => socket.destroy());
  }

  #drained(): void {
    this.#stallTimer?.cancel();
    this.#stallTimer = undefined;
    if (this.#long.length > 0) setImmediate(() => this.#sendLong());
    this.#serveWaiting();
  }

  /** The client has said all it will say, and still reads: `printf | nc` and dig's +keepopen do this. */
  #ended(): void {
    this.#halfClosed = true;
    this.#endWhenDone();
  }

  #endWhenDone(): void {
    const isDone = this.#outstanding === 0 && this.#waiting.length === 0;
    if (!isDone) return;
    if (this.#leaving === 'answered') this.#closing = true;
    if (this.#halfClosed || this.#closing) this.#spec.socket.end();
  }

  #touch(): void {
    const { clock, timeouts, onActive } = this.#spec;
    this.#spokenMs = clock.monotonicMs();
    this.#deadlineMs = this.#spokenMs + (timeouts.idleMs ?? IDLE_MS);
    onActive();
  }

  /** One timer per connection, set again only when it fires: a busy connection pays nothing for it. */
  #checkDeadline(): void {
    const { clock, socket } = this.#spec;
    const leftMs = this.#deadlineMs - clock.monotonicMs();
    if (leftMs <= 0) socket.destroy();
    else if (!socket.destroyed) {
      this.#idleTimer = clock.after(leftMs, () => afterReading(() => this.#checkDeadline()));
    }
  }

  #closed(): void {
    this.#idleTimer.cancel();
    this.#stallTimer?.cancel();
    this.#stallTimer = undefined;
    this.#waiting = [];
    this.#spec.onHeld(-this.#heldBytes);
    this.#heldBytes = 0;
    for (const more of this.#long.splice(0)) more.return?.();
  }
}

/** Timers run before what has arrived is read: a process that was held up would take a busy client for a silent one. */
function afterReading(look: () => void): void {
  setImmediate(look);
}
