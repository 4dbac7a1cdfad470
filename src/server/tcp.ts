/**
 * The listening socket of TCP or DoT and its connections. Their number is bounded; at the bound the connection that has been
 * silent longest makes room, so that a client that hoards connections locks out nobody but itself.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { ipFamily, parseIp } from '../net/ip.ts';
import { formatAddressPort } from '../net/port.ts';
import { closeDescriptor } from '../sys/datagram-socket.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { SocketAddress } from './handler.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import { listenError } from './listen-error.ts';
import type { ListenerTimeouts, ListenerTls } from './listener-options.ts';
import type { Answer, Arrival } from './serve-query.ts';
import { FIRST_QUERY_MS, TcpConnection } from './tcp-connection.ts';
import { TlsGate } from './tls-gate.ts';

/** 11 to 14 KB each, queries unfinished or answered. Node caches keep a few to each CoreDNS pod: enough for a cluster of a thousand nodes. */
export const MAX_CONNECTIONS = 4096;
/** Of DoT, about 60 KB each. */
export const MAX_SECURE_CONNECTIONS = 1024;
/**
 * Queries that wait and answers that are not read, of all connections together. One may hold some 64 KB of each; who takes
 * the last of the room loses his connection.
 */
export const MAX_HELD_BYTES = 32 << 20;
/** Not yet accepted ones, in the kernel. */
const BACKLOG = 1024;

/** What connections that come from now on are subject to. */
export interface StreamConduct {
  readonly timeouts?: ListenerTimeouts;
  /** Absent: in clear. */
  readonly tls?: ListenerTls;
}

export interface TcpListenerSpec extends StreamConduct {
  /** Port 0 lets the system choose. */
  readonly local: SocketAddress;
  readonly clock: Clock;
  readonly serve: (arrival: Arrival) => Answer;
  /** Default `MAX_CONNECTIONS` in clear, `MAX_SECURE_CONNECTIONS` with `tls`. */
  readonly maxConnections?: number;
  /** Default `MAX_HELD_BYTES`. */
  readonly maxHeldBytes?: number;
  /** One of the same address listens instead of a new one. */
  readonly inherited?: InheritedSockets;
}

export interface TcpListener {
  readonly local: SocketAddress;
  /** Connections so far. One that waits in the kernel is taken in the next turn of the event loop, and only one in each. */
  readonly accepted: number;
  /** Throws OpenSSL's error for a certificate it does not take; then everything is as before. */
  configure(conduct: StreamConduct): void;
  /**
   * Accepts no more; resolves when every connection is gone. Those busy answer what they hold first; `gently` lets
   * clients go on until they pause, for when their next connection will be another process's.
   */
  close(options?: { readonly gently?: boolean }): Promise<void>;
  /** Ends what `close` still waits for. */
  destroy(): void;
}

/** Rejects with a `SERVER_…` error. */
export function openTcp(spec: TcpListenerSpec): Promise<TcpListener> {
  const { local } = spec;
  const server = createServer({ allowHalfOpen: true });
  const { promise, resolve, reject } = Promise.withResolvers<TcpListener>();
  const refused = (error: Error) =>
    reject(listenError(`tcp ${formatAddressPort(local.address, local.port)}`, error));
  server.once('error', refused);
  const options = { host: local.address, port: local.port, ipv6Only: ipFamily(local.address) === 6 };
  const [fd, ...surplus] = spec.inherited?.take('tcp', local) ?? [];
  for (const each of surplus) closeDescriptor(each);
  const where = fd === undefined ? { ...options, reusePort: true } : { fd };
  server.listen({ ...where, exclusive: true, backlog: BACKLOG }, () => {
    server.off('error', refused);
    const bound = server.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : local.port;
    try {
      resolve(new Connections(server, { ...spec, local: { address: local.address, port } }));
    } catch (error) {
      server.close();
      reject(error);
    }
  });
  return promise;
}

/** A connection, or one that has not finished its handshake. */
interface Held {
  finish(): void;
  finishGently(): void;
  destroy(): void;
}

class Connections implements TcpListener {
  readonly #server: Server;
  readonly #spec: TcpListenerSpec;
  /** Longest silent first. */
  readonly #open = new Set<Held>();
  #accepted = 0;
  #heldBytes = 0;
  #timeouts: ListenerTimeouts = {};
  #tls: ListenerTls | undefined;
  #gate: TlsGate | undefined;

  constructor(server: Server, spec: TcpListenerSpec) {
    this.#server = server;
    this.#spec = spec;
    this.configure(spec);
    server.on('connection', (socket) => this.#accept(socket));
    // Out of descriptors, for instance: the connection is lost, the listener is not.
    server.on('error', (error) => void error);
  }

  configure({ timeouts = {}, tls }: StreamConduct): void {
    const handshakeMs = timeouts.readMs ?? FIRST_QUERY_MS;
    if (tls !== this.#tls) this.#gate = tls && new TlsGate({ tls, handshakeMs });
    this.#tls = tls;
    this.#timeouts = timeouts;
  }

  get local(): SocketAddress {
    return this.#spec.local;
  }

  get accepted(): number {
    return this.#accepted;
  }

  close({ gently = false } = {}): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#open) {
      if (gently) connection.finishGently();
      else connection.finish();
    }
    return closed;
  }

  destroy(): void {
    for (const connection of this.#open) connection.destroy();
  }

  #accept(socket: Socket): void {
    this.#accepted++;
    const client = addressOf(socket.remoteAddress, socket.remotePort);
    const local = addressOf(socket.localAddress, socket.localPort);
    if (client === undefined || local === undefined) {
      socket.destroy();
      return;
    }
    const most = this.#gate === undefined ? MAX_CONNECTIONS : MAX_SECURE_CONNECTIONS;
    if (this.#open.size >= (this.#spec.maxConnections ?? most)) this.#evict();
    if (this.#gate === undefined) {
      this.#serve(socket, client, local);
      return;
    }
    const drop = () => void socket.destroy();
    // Gently: the handshake may end in time, and has a time limit of its own.
    const stranger: Held = { finish: drop, finishGently: () => undefined, destroy: drop };
    this.#open.add(stranger);
    socket.on('close', () => this.#open.delete(stranger));
    this.#gate.pass(socket, (secured) => {
      this.#open.delete(stranger);
      this.#serve(secured, client, local);
    });
  }

  #serve(socket: Socket, client: SocketAddress, local: SocketAddress): void {
    const { clock, serve } = this.#spec;
    const connection = new TcpConnection({
      socket,
      client,
      local,
      clock,
      serve,
      timeouts: this.#timeouts,
      onActive: () => this.#markActive(connection),
      onHeld: (bytes) => this.#hold(bytes),
    });
    this.#open.add(connection);
    socket.on('close', () => this.#open.delete(connection));
  }

  #evict(): void {
    const [oldest] = this.#open;
    if (oldest === undefined) return;
    this.#open.delete(oldest);
    oldest.destroy();
  }

  #hold(bytes: number): boolean {
    this.#heldBytes += bytes;
    return bytes < 0 || this.#heldBytes <= (this.#spec.maxHeldBytes ?? MAX_HELD_BYTES);
  }

  #markActive(connection: TcpConnection): void {
    if (this.#open.delete(connection)) this.#open.add(connection);
  }
}

/** Undefined when the client was gone before we looked. */
function addressOf(text: string | undefined, port: number | undefined): SocketAddress | undefined {
  const address = parseIp(text?.replace(/%.*$/, '') ?? '');
  return address === undefined || port === undefined ? undefined : { address, port };
}
