/**
 * Answers that go on: rows are taken from their source no faster than the client takes them, so that a slow one holds a few
 * rows and nothing else, and loses its own when the source runs ahead. So many streams at once, and no more: each costs its
 * share of the main thread; and one client may not have all of them. A client that leaves ends its stream.
 */
import { AppError } from '../fault/app-error.ts';
import type { Log } from '../telemetry/log.ts';
import type { HubbleErrorCode } from './errors.ts';
import type { ServerWritableStream, WireMessage } from './grpc.ts';
import { statusOf } from './rpc-status.ts';

export type StreamCall = ServerWritableStream<WireMessage, WireMessage>;

/** Of all streams, what one client may have. */
const SHARE_OF_ONE = 0.75;

export class Streams {
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #log: Pick<Log, 'error'>;
  /** Each with its client. */
  readonly #open = new Map<AbortController, string>();
  #isClosing = false;

  constructor(most: number, log: Pick<Log, 'error'>) {
    this.#most = most;
    this.#mostOfOne = Math.ceil(most * SHARE_OF_ONE);
    this.#log = log;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Answers `call` with what `rows` gives, until that ends, the client leaves or the server closes. Never rejects. */
  async run(call: StreamCall, rows: (signal: AbortSignal) => AsyncIterable<WireMessage>): Promise<void> {
    const abort = new AbortController();
    call.on('cancelled', () => abort.abort());
    // An error of a call that has ended already has nobody left to hear it.
    call.on('error', () => abort.abort());
    try {
      this.#enter(abort, clientOf(call));
      for await (const row of rows(abort.signal)) {
        // A source whose signal was raised may have a last word.
        if (call.cancelled) break;
        if (!call.write(row)) await drained(call, abort.signal);
      }
      if (this.#isClosing) throw goingAway();
      if (!call.cancelled) call.end();
    } catch (error) {
      if (!call.cancelled) call.emit('error', statusOf(error, this.#log));
    } finally {
      this.#open.delete(abort);
    }
  }

  #enter(abort: AbortController, client: string): void {
    if (this.#open.size >= this.#most)
      throw busy(`the server has ${this.#most} open, which is all it allows`);
    let own = 0;
    for (const other of this.#open.values()) if (other === client) own++;
    if (own >= this.#mostOfOne)
      throw busy(`this client has ${own} open, and the server leaves the others to others`);
    this.#open.set(abort, client);
  }

  /** Streams end, and their clients are told that there would have been more. */
  close(): void {
    this.#isClosing = true;
    for (const abort of this.#open.keys()) abort.abort();
  }
}

/** A machine is one client, however many connections it makes; on a unix socket each connection is one. */
export function clientOf(call: StreamCall): string {
  return call.getPeer().replace(/:\d+$/, '');
}

function busy(reason: string): AppError {
  const code: HubbleErrorCode = 'HUBBLE_BUSY';
  const hint = 'End other observers, or try again later';
  return new AppError(code, `Cannot open another stream: ${reason}`, { hint });
}

function goingAway(): AppError {
  const code: HubbleErrorCode = 'HUBBLE_UNREACHABLE';
  return new AppError(code, 'Cannot go on: the server is going away');
}

function drained(call: StreamCall, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.on('drain', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
