/**
 * The TCP connections to one upstream. Questions go to the least busy connection; another one is dialled while all are
 * busy, or wait for a slow answer, and there are few. Bounds: `MAX_CONNECTIONS` sockets, `MAX_PIPELINED` questions on each.
 */
import type { Message } from '../../dns/message.ts';
import type { Exchanged, ExchangeTools } from './exchange.ts';
import { TcpConnection } from './tcp-connection.ts';
import type { UpstreamAddress } from './upstream-address.ts';

/** A second connection helps servers that answer one connection's questions one after the other. */
const BUSY_LOAD = 16;
const MAX_CONNECTIONS = 16;
const MAX_PIPELINED = 512;
/** Twice the moving average of dial times, within these bounds; the upper one is the whole time a client gets. */
const MIN_DIAL_MS = 1000;
const MAX_DIAL_MS = 5000;
const DIAL_WEIGHT = 1 / 4;

export interface PoolOptions extends ExchangeTools {
  readonly upstream: UpstreamAddress;
  readonly idleMs: number;
  /** Called per question: did it find a connection already there? */
  readonly onPick: (reused: boolean) => void;
}

export class TcpPool {
  readonly #options: PoolOptions;
  readonly #connections = new Set<TcpConnection>();
  #serial = 0;
  #closed = false;
  #averageDialMs = MAX_DIAL_MS / 2;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Only connections with a serial above `newerThan` are used, as long as another may be dialled. Never rejects. */
  ask(query: Message, newerThan = 0): Promise<Exchanged> {
    const found = this.#leastBusy(newerThan);
    const free = found !== undefined && found.load < BUSY_LOAD && !found.stalled;
    if (found !== undefined && (free || this.#connections.size >= MAX_CONNECTIONS)) {
      this.#options.onPick(true);
      return found.ask(query);
    }
    if (this.#connections.size >= MAX_CONNECTIONS) {
      const error = new Error(`too many queries outstanding on ${MAX_CONNECTIONS} connections`);
      return Promise.resolve({ ok: false, error });
    }
    this.#options.onPick(false);
    const connection = this.#dial();
    const answer = connection.ask(query);
    if (this.#closed) connection.retire();
    return answer;
  }

  /** What is under way may finish: a reload loses no query. Each question brings its own connection from then on. */
  close(): void {
    this.#closed = true;
    for (const connection of [...this.#connections]) connection.retire();
  }

  #leastBusy(newerThan: number): TcpConnection | undefined {
    let best: TcpConnection | undefined;
    for (const connection of this.#connections) {
      if (!connection.usable || connection.load >= MAX_PIPELINED || connection.serial <= newerThan) continue;
      if (best === undefined || isFreer(connection, best)) best = connection;
    }
    return best;
  }

  #dial(): TcpConnection {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const connection = new TcpConnection({
      ...this.#options,
      serial: ++this.#serial,
      dialTimeoutMs: Math.min(MAX_DIAL_MS, Math.max(MIN_DIAL_MS, 2 * this.#averageDialMs)),
      onOpen: () => {
        this.#averageDialMs += (clock.monotonicMs() - startedMs - this.#averageDialMs) * DIAL_WEIGHT;
      },
      onClose: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    return connection;
  }
}

function isFreer(connection: TcpConnection, other: TcpConnection): boolean {
  if (connection.stalled !== other.stalled) return other.stalled;
  return connection.load < other.load;
}
