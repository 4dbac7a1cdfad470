/**
 * DNS over TCP from inside a pod, in both habits of clients: a connection per query, as stub resolvers do it, and one
 * connection kept for all of them, as proxies do it. Open loop, like the datagrams of query-load.ts. A kept connection
 * that ends is opened again at once. What was asked on it and not answered is lost if it broke, and asked again if the
 * server closed it, which it may at any time (RFC 7766 section 6.2.4).
 */
import { connect, type Socket } from 'node:net';
import { TYPE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Name } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';
import { epochMs } from './query-load.ts';

const TICK_MS = 2;
/** What was asked on a connection that stands is answered late rather than never: it ends with its server, not before. */
const KEPT_PATIENCE = 5;
/** Before a kept connection is opened again that could not be opened at all. */
const RECONNECT_MS = 20;

export interface TcpLoadOptions {
  readonly name: Name;
  readonly server: string;
  readonly port: number;
  /** Connections per second, one query each. */
  readonly freshRate: number;
  /** Queries per second on the kept connection. */
  readonly keptRate: number;
  /** Milliseconds; a query without an answer after so long is lost; on the kept connection KEPT_PATIENCE times that. */
  readonly patienceMs: number;
  readonly stop: AbortSignal;
  readonly onResult: (result: TcpResult) => void;
}

export interface TcpResult {
  readonly habit: 'fresh' | 'kept';
  /** Milliseconds since the epoch, with fractions. */
  readonly sentAtMs: number;
  /** Absent for a lost query. */
  readonly tookMs?: number;
  /** It had to be asked again, because the server closed the connection before it had read it. */
  readonly askedAgain?: true;
  /** Why it was lost: the error's code, `closed` or `timeout`. */
  readonly cause?: string;
}

/** Resolves when it has been stopped and the last query is answered or lost. */
export async function runTcpLoad(options: TcpLoadOptions): Promise<void> {
  const open = new Set<Promise<void>>();
  const kept = new KeptConnection(options);
  const started = epochMs();
  let fresh = 0;
  let asked = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsedMs = epochMs() - started;
      for (; fresh < (elapsedMs * options.freshRate) / 1000; fresh++) {
        const query = askOnce(options);
        open.add(query);
        void query.then(() => open.delete(query));
      }
      for (; asked < (elapsedMs * options.keptRate) / 1000; asked++) kept.ask();
      if (!options.stop.aborted) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
  await Promise.all([...open, kept.end()]);
}

/** A length and a message (RFC 1035 section 4.2.2). */
function framedQuery(name: Name, id: number): Buffer {
  const message = encodeMessage(plainQuery({ name, type: TYPE.A }, { id }));
  const frame = Buffer.alloc(2 + message.length);
  frame.writeUInt16BE(message.length);
  frame.set(message, 2);
  return frame;
}

function askOnce(options: TcpLoadOptions): Promise<void> {
  const sentAtMs = epochMs();
  return new Promise((resolve) => {
    const socket = connect({ host: options.server, port: options.port });
    const settle = (outcome: Pick<TcpResult, 'tookMs' | 'cause'>) => {
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.destroy();
      clearTimeout(late);
      options.onResult({ habit: 'fresh', sentAtMs, ...outcome });
      resolve();
    };
    const late = setTimeout(() => settle({ cause: 'timeout' }), options.patienceMs);
    socket.on('connect', () => socket.write(framedQuery(options.name, 1)));
    readFrames(socket, () => settle({ tookMs: epochMs() - sentAtMs }));
    socket.on('error', (error) => settle({ cause: 'code' in error ? String(error.code) : error.message }));
    socket.on('close', () => settle({ cause: 'closed' }));
  });
}

class KeptConnection {
  readonly #options: TcpLoadOptions;
  /** By message id, in the order of sending. */
  readonly #pending = new Map<number, number>();
  readonly #askedAgain = new Set<number>();
  #socket: Socket;
  #nextId = 0;
  #ended = false;

  constructor(options: TcpLoadOptions) {
    this.#options = options;
    this.#socket = this.#open();
  }

  /** Between two connections there is nothing to ask on: such a query counts as lost when nobody answers it in time. */
  ask(): void {
    const id = this.#nextId;
    this.#nextId = (id + 1) & 0xffff;
    this.#pending.set(id, epochMs());
    this.#socket.write(framedQuery(this.#options.name, id));
    this.#expire();
  }

  async end(): Promise<void> {
    this.#ended = true;
    while (this.#pending.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      this.#expire();
    }
    this.#socket.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: this.#options.server, port: this.#options.port });
    let wasOpen = false;
    socket.on('connect', () => {
      wasOpen = true;
    });
    readFrames(socket, (message) => this.#settle(message.readUInt16BE(0), {}));
    let cause: string | undefined;
    socket.on('error', (error) => {
      cause = 'code' in error ? String(error.code) : error.message;
    });
    socket.on('close', () => {
      if (cause !== undefined) for (const id of [...this.#pending.keys()]) this.#settle(id, { cause });
      if (wasOpen) this.#reopen();
      else setTimeout(() => this.#reopen(), RECONNECT_MS);
    });
    return socket;
  }

  #reopen(): void {
    if (this.#ended && this.#pending.size === 0) return;
    this.#socket = this.#open();
    for (const id of this.#pending.keys()) {
      this.#askedAgain.add(id);
      this.#socket.write(framedQuery(this.#options.name, id));
    }
  }

  #settle(id: number, { cause }: { readonly cause?: string }): void {
    const sentAtMs = this.#pending.get(id);
    if (sentAtMs === undefined) return;
    this.#pending.delete(id);
    const outcome = cause === undefined ? { tookMs: epochMs() - sentAtMs } : { cause };
    const again = this.#askedAgain.delete(id) ? { askedAgain: true as const } : {};
    this.#options.onResult({ habit: 'kept', sentAtMs, ...outcome, ...again });
  }

  #expire(): void {
    const oldest = epochMs() - KEPT_PATIENCE * this.#options.patienceMs;
    for (const [id, sentAtMs] of this.#pending) {
      if (sentAtMs > oldest) return;
      this.#settle(id, { cause: 'timeout' });
    }
  }
}

function readFrames(socket: Socket, onMessage: (message: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0);
      onMessage(rest.subarray(2, end));
      rest = rest.subarray(end);
    }
  });
}
