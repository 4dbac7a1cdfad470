/**
 * One TCP or TLS connection to an upstream, shared by many questions at once (RFC 7766 section 6.2.1): answers are told
 * apart by id and may come in any order. It closes itself when idle, and takes no more questions once it looks dead: a
 * connection whose other end vanished without a word (a pod deleted behind a service address) stays open for minutes
 * and would swallow every question it is given.
 */
import type { Socket } from 'node:net';
import { FrameSplitter, frameMessage } from '../../../dns/frames.ts';
import type { Message } from '../../../dns/message.ts';
import { errorCode, errorText } from '../../../fault/app-error.ts';
import { parseIp } from '../../../net/ip.ts';
import { formatAddressPort } from '../../../net/port.ts';
import type { Timer } from '../../../telemetry/clock.ts';
import type { UpstreamAddress } from '../upstream-address.ts';
import type { Done, Exchanged, ExchangeTools } from './exchange.ts';
import {
  certificateFailure,
  dialFailure,
  dialTimeout,
  endOfFile,
  type Path,
  readFailure,
  readTimeout,
} from './go-error.ts';
import { Outstanding, type Waiting } from './outstanding.ts';
import type { Dialer } from './stream-dialer.ts';

export interface ConnectionOptions extends ExchangeTools {
  readonly upstream: UpstreamAddress;
  readonly dialer: Dialer;
  /** Higher than that of every connection dialled before. */
  readonly serial: number;
  readonly dialTimeoutMs: number;
  readonly idleMs: number;
  /** Takes no questions when older; 0 means it may grow as old as it likes. */
  readonly maxAgeMs: number;
  readonly onOpen: () => void;
  readonly onIdle: (connection: StreamConnection) => void;
  readonly onClose: (connection: StreamConnection) => void;
}

/** Longer than an answer from memory takes on any network of a cluster. */
const STALLED_MS = 50;
/** Questions written and not taken by a peer that does not read: no more are added. */
const MOST_UNWRITTEN_BYTES = 256 << 10;

export class StreamConnection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #frames = new FrameSplitter();
  readonly #outstanding: Outstanding;
  readonly #openedMs: number;
  /** Questions that wait for the dial. */
  #backlog: Waiting[] | undefined = [];
  #isClosed = false;
  #isRetired = false;
  #isCorked = false;
  #asked = 0;
  #chunks = 0;
  /** When the upstream last sent something, or was given a question after it had answered all. */
  #movedMs = 0;
  #dialTimer: Timer | undefined;
  #idleTimer: Timer | undefined;
  #idleSinceMs: number;

  constructor(options: ConnectionOptions) {
    const { clock, dialer, dialTimeoutMs } = options;
    this.#options = options;
    this.#openedMs = clock.monotonicMs();
    this.#idleSinceMs = this.#openedMs;
    this.#outstanding = new Outstanding({
      ...options,
      expired: (waiting) => this.#expired(waiting),
      unreadable: (_asked, reason) => ({ ok: false, error: new Error(`dns: ${reason}`) }),
      waitsOn: () => false,
      onIdle: () => this.#rest(),
    });
    this.#socket = dialer.open();
    this.#dialTimer = clock.after(dialTimeoutMs, () => this.#fail(dialTimeout(this.#path())));
    this.#socket.once(dialer.ready, () => this.#opened());
    this.#socket.on('error', (cause) => this.#fail(this.#failure(cause)));
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('end', () => this.#fail(endOfFile()));
    this.#socket.on('close', () => this.#fail(endOfFile()));
  }

  get serial(): number {
    return this.#options.serial;
  }

  get load(): number {
    return this.#outstanding.size;
  }

  /**
   * The upstream lets a question wait. Many servers, CoreDNS among them, answer a connection's questions one after the
   * other: whatever is asked behind a slow one waits as long, and times out with it.
   */
  get stalled(): boolean {
    if (this.load === 0 || this.#backlog !== undefined) return false;
    return this.#options.clock.monotonicMs() - this.#movedMs >= STALLED_MS;
  }

  /** False once it is closed, too old, not read by its peer, or has let a question time out without a sign of life. */
  get usable(): boolean {
    if (this.#isClosed || this.#isRetired || this.#socket.writableLength > MOST_UNWRITTEN_BYTES) return false;
    const { clock, maxAgeMs } = this.#options;
    if (maxAgeMs > 0 && clock.monotonicMs() - this.#openedMs >= maxAgeMs) this.retire();
    return !this.#isRetired;
  }

  /** Only while it is usable. */
  ask(query: Message, done: Done): void {
    if (this.load === 0) this.#movedMs = this.#options.clock.monotonicMs();
    const waiting = this.#outstanding.enter(query, done, this.#asked++ > 0);
    if (this.#backlog === undefined) this.#send(waiting);
    else this.#backlog.push(waiting);
  }

  /** Takes no more questions from the pool; closes as soon as those it has are settled. */
  retire(): void {
    this.#isRetired = true;
    if (this.load === 0) this.close();
  }

  close(): void {
    this.#fail(new Error('use of closed network connection'));
  }

  #opened(): void {
    if (this.#isClosed) return;
    this.#dialTimer?.cancel();
    this.#options.onOpen();
    const backlog = this.#backlog ?? [];
    this.#backlog = undefined;
    this.#movedMs = this.#options.clock.monotonicMs();
    for (const waiting of backlog) this.#send(waiting);
    if (this.load === 0) this.#rest();
  }

  /** What one turn of the loop asks goes out in one write. */
  #send(waiting: Waiting): void {
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    waiting.heardBefore = this.#chunks;
    this.#socket.write(frameMessage(this.#outstanding.send(waiting)));
  }

  #expired(waiting: Waiting): Exchanged {
    if (this.#chunks === waiting.heardBefore) this.#isRetired = true;
    return { ok: false, error: readTimeout(this.#path()) };
  }

  #receive(chunk: Uint8Array): void {
    this.#chunks++;
    this.#movedMs = this.#options.clock.monotonicMs();
    for (const bytes of this.#frames.push(chunk)) {
      if (!this.#outstanding.receive(bytes)) {
        this.#fail(new Error('dns: short read'));
        return;
      }
    }
    if (this.#outstanding.flooded) this.#fail(new Error('too many answers to questions never asked'));
  }

  #failure(cause: unknown): Error {
    const wrongCertificate = certificateFailure(cause);
    if (wrongCertificate !== undefined) return wrongCertificate;
    // Node's words for a connection that the other end closed during the handshake.
    if (errorText(cause).startsWith('Client network socket disconnected')) return endOfFile();
    if (this.#backlog === undefined || this.#isBehindDial(cause)) return readFailure(this.#path(), cause);
    return dialFailure(this.#path(), cause);
  }

  /** TCP stood already, TLS failed. */
  #isBehindDial(cause: unknown): boolean {
    return this.#socket.remotePort !== undefined && errorCode(cause) !== 'ECONNREFUSED';
  }

  /** Ends the connection and everything that waits on it. Harmless when it is closed already. */
  #fail(error: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#dialTimer?.cancel();
    this.#idleTimer?.cancel();
    this.#socket.destroy();
    this.#options.onClose(this);
    this.#outstanding.settleAll(({ reused }) => this.#broken(error, reused));
  }

  /** A question that joined a dial which then failed has met no old connection. */
  #broken(error: Error, reused: boolean): Exchanged {
    const isStale = reused && this.#backlog === undefined;
    return isStale ? { ok: false, error, staleSerial: this.serial } : { ok: false, error };
  }

  /** With nothing left to wait for: close at once if nobody will ask again, otherwise after the idle time. */
  #rest(): void {
    if (this.#isClosed) return;
    if (this.#isRetired) {
      this.close();
      return;
    }
    this.#idleSinceMs = this.#options.clock.monotonicMs();
    if (this.#idleTimer === undefined) this.#restFor(this.#options.idleMs);
    this.#options.onIdle(this);
  }

  /** The timer is left running when a question comes, and looks at the time again when it rings. */
  #restFor(delayMs: number): void {
    const { clock, idleMs } = this.#options;
    this.#idleTimer = clock.after(delayMs, () => {
      this.#idleTimer = undefined;
      if (this.load > 0) return;
      const leftMs = this.#idleSinceMs + idleMs - clock.monotonicMs();
      if (leftMs > 0) this.#restFor(leftMs);
      else this.close();
    });
  }

  #path(): Path {
    const { localAddress, localPort } = this.#socket;
    const ip = parseIp(localAddress ?? '');
    const local = ip === undefined || localPort === undefined ? undefined : formatAddressPort(ip, localPort);
    return { transport: 'tcp', local, remote: this.#options.upstream.text };
  }
}
