/**
 * Sockets for a gRPC server: unix, TCP, TCP with TLS 1.3. We listen ourselves and hand over what was accepted, because the
 * library's own listeners neither narrow a socket's mode, nor bound connections, nor name a least version of TLS.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { AppError, errorCode, errorText } from '../../fault/app-error.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { HubbleErrorCode } from '../errors.ts';
import { type TlsFiles, WatchedTls } from './tls-files.ts';
import { listenUnix, unusable } from './unix-socket.ts';

export type ListenAddress =
  | { readonly unix: string }
  /** Port 0: one that is free. `host` an address, or empty for all of the machine. */
  | { readonly host: string; readonly port: number; readonly tls?: TlsFiles };

export interface ListenerOptions {
  readonly address: ListenAddress;
  readonly accept: (socket: Socket | TLSSocket) => void;
  /** Further ones are closed at once. */
  readonly maxConnections: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Pick<Log, 'error' | 'info'>;
}

export interface Listener {
  /** As a client writes it: `unix:///path`, `host:port`, `tls://host:port`. */
  readonly target: string;
  /** Takes no more, and waits until the connections that are open have ended. */
  close(): Promise<void>;
  /** Ends those connections, also of clients that have not finished their handshake. */
  hangUp(): void;
}

/** Throws `AppError` HUBBLE_SOCKET_TAKEN, HUBBLE_SOCKET_UNUSABLE or HUBBLE_TLS_UNUSABLE. */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { address, maxConnections, log } = options;
  const server =
    'unix' in address || address.tls === undefined
      ? createServer(options.accept)
      : tlsServer(options, address.tls);
  server.maxConnections = maxConnections;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  let leave = (): void => undefined;
  if ('unix' in address) leave = await listenUnix(server, address.unix);
  else await listenTcp(server, address);
  server.on('error', (error) => log.error(`Cannot accept connections to Hubble's API: ${errorText(error)}`));
  return {
    target: targetOf(server, address),
    close() {
      leave();
      return new Promise((resolve) => server.close(() => resolve()));
    },
    hangUp() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A client that does not finish its handshake is let go. */
const HANDSHAKE_MS = 10_000;

function tlsServer({ accept, clock, log }: ListenerOptions, files: TlsFiles): Server {
  const watched = new WatchedTls(files, clock, log);
  const settings = { minVersion: 'TLSv1.3' } as const;
  const server = createTlsServer({
    ...settings,
    ...contextOf(watched.first),
    ALPNProtocols: ['h2'],
    handshakeTimeout: HANDSHAKE_MS,
    requestCert: files.clientCaFiles !== undefined,
    rejectUnauthorized: files.clientCaFiles !== undefined,
  });
  server.prependListener('connection', () => {
    const renewed = watched.renewed();
    if (renewed !== undefined) server.setSecureContext({ ...settings, ...contextOf(renewed) });
  });
  server.on('secureConnection', accept);
  // Port scanners and plaintext clients fail here all day long: that is no news.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

function contextOf({ cert, key, ca }: WatchedTls['first']) {
  return { cert, key, ...(ca && { ca: [...ca] }) };
}

function listenTcp(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const code: HubbleErrorCode = 'HUBBLE_SOCKET_TAKEN';
      const taken = errorCode(error) === 'EADDRINUSE';
      const where = `${host}:${port}`;
      reject(
        taken
          ? new AppError(code, `Cannot listen: another server does: received ${where}`, { cause: error })
          : unusable(where, errorText(error), error),
      );
    });
    server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
  });
}

function targetOf(server: Server, address: ListenAddress): string {
  if ('unix' in address) return `unix://${address.unix}`;
  const { port } = server.address() as AddressInfo;
  const host = address.host === '' ? 'localhost' : address.host;
  return `${address.tls === undefined ? '' : 'tls://'}${host.includes(':') ? `[${host}]` : host}:${port}`;
}
