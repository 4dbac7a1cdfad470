/**
 * The TCP or TLS connections to one upstream. Questions go to the least busy connection; another one is dialled while
 * all are busy, or wait for a slow answer, and there are few. Bounds: `MAX_CONNECTIONS` sockets, `MAX_PIPELINED`
 * questions on each.
 */
import type { Message } from '../../../dns/message.ts';
import type { UpstreamAddress } from '../upstream-address.ts';
import type { Done, ExchangeTools } from './exchange.ts';
import { StreamConnection } from './stream-connection.ts';
import type { Dialer } from './stream-dialer.ts';

/** A second connection helps servers that answer one connection's questions one after the other. */
const BUSY_LOAD = 16;
const MAX_CONNECTIONS = 16;
const MAX_PIPELINED = 512;
/** Twice the moving average of dial times, within these bounds; the upper one is the whole time a client gets. */
const MIN_DIAL_MS = 1000;
const MAX_DIAL_MS = 5000;
const DIAL_WEIGHT = 1 / 4;

export interface StreamPoolOptions extends ExchangeTools {
  readonly upstream: UpstreamAddress;
  readonly dialer: Dialer;
  readonly idleMs: number;
  /** 0 means no bound. */
  readonly maxAgeMs: number;
  /** Idle connections that are kept; 0 means all. */
  readonly maxIdle: number;
  /** Called per question: did it find a connection already there? */
  readonly onPick: (reused: boolean) => void;
}

export class StreamPool {
  readonly #options: StreamPoolOptions;
  readonly #connections = new Set<StreamConnection>();
  #serial = 0;
  #isClosed = false;
  #averageDialMs = MAX_DIAL_MS / 2;

  constructor(options: StreamPoolOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Only connections with a serial above `newerThan` are used, as long as another may be dialled. */
  ask(query: Message, done: Done, newerThan = 0): void {
    const found = this.#leastBusy(newerThan);
    const isFree = found !== undefined && found.load < BUSY_LOAD && !found.stalled;
    if (found !== undefined && (isFree || this.#connections.size >= MAX_CONNECTIONS)) {
      this.#options.onPick(true);
      found.ask(query, done);
      return;
    }
    if (this.#connections.size >= MAX_CONNECTIONS) {
      const error = new Error(`too many queries outstanding on ${MAX_CONNECTIONS} connections`);
      done({ ok: false, error });
      return;
    }
    this.#options.onPick(false);
    const connection = this.#dial();
    connection.ask(query, done);
    if (this.#isClosed) connection.retire();
  }

  /** What is under way may finish: a reload loses no query. Each question brings its own connection from then on. */
  close(): void {
    this.#isClosed = true;
    for (const connection of [...this.#connections]) connection.retire();
  }

  #leastBusy(newerThan: number): StreamConnection | undefined {
    let best: StreamConnection | undefined;
    for (const connection of this.#connections) {
      if (connection.load >= MAX_PIPELINED || connection.serial <= newerThan || !connection.usable) continue;
      if (best === undefined || isFreer(connection, best)) best = connection;
    }
    return best;
  }

  #dial(): StreamConnection {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const connection = new StreamConnection({
      ...this.#options,
      serial: ++this.#serial,
      dialTimeoutMs: Math.min(MAX_DIAL_MS, Math.max(MIN_DIAL_MS, 2 * this.#averageDialMs)),
      onOpen: () => {
        this.#averageDialMs += (clock.monotonicMs() - startedMs - this.#averageDialMs) * DIAL_WEIGHT;
      },
      onIdle: (idle) => this.#thinOut(idle),
      onClose: (closed) => void this.#connections.delete(closed),
    });
    this.#connections.add(connection);
    return connection;
  }

  #thinOut(connection: StreamConnection): void {
    const { maxIdle } = this.#options;
    if (maxIdle === 0) return;
    let idle = 0;
    for (const other of this.#connections) if (other.load === 0) idle++;
    if (idle > maxIdle) connection.retire();
  }
}

function isFreer(connection: StreamConnection, other: StreamConnection): boolean {
  if (connection.stalled !== other.stalled) return other.stalled;
  return connection.load < other.load;
}
