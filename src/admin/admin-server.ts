/**
 * The door for administrators: a unix socket that only the server's own user may open. What can be asked is given to it
 * as a table of commands; it knows none itself. Connections, requests and waiting are bounded, and nothing here can
 * keep the process alive or bring it down.
 */
import { chmodSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { AppError, errorText } from '../fault/app-error.ts';
import { ADMIN_ERRORS } from './errors.ts';
import { type AdminAnswer, type AdminRequest, MAX_REQUEST_BYTES, parseRequest } from './wire.ts';

/** Gives the lines of the answer. Throws an `AppError` for what the administrator can mend. */
export type AdminCommand = (args: AdminRequest['args']) => Iterable<string> | Promise<Iterable<string>>;

export interface AdminServerSpec {
  readonly path: string;
  readonly commands: Readonly<Record<string, AdminCommand>>;
}

export interface AdminServer {
  readonly path: string;
  /** Takes the socket away from the file system at once, for a process that is about to exit. */
  remove(): void;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 16;
/** A client that neither asks nor reads for so long is shown out. */
const IDLE_MS = 30_000;
/** Lines written between two looks at whether the client keeps up. */
const LINES_A_TURN = 256;

/**
 * Whatever stands at `path` is replaced, and never by a socket that does not listen yet: it gets its name when it does.
 * Rejects with ADMIN_LISTEN.
 */
export function openAdminServer({ path, commands }: AdminServerSpec): Promise<AdminServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    readRequest(socket, (request) => void answer(socket, request, commands));
  });
  server.maxConnections = MAX_CONNECTIONS;
  const { promise, resolve, reject } = Promise.withResolvers<AdminServer>();
  server.once('error', (error) => reject(cannotListen(path, error)));
  const provisional = `${path}.${process.pid}`;
  // Nobody else may come in, not even in the moment before the mode is set.
  const mask = process.umask(0o177);
  server.listen(provisional, () => {
    try {
      chmodSync(provisional, 0o600);
      const { ino } = statSync(provisional);
      renameSync(provisional, path);
      server.on('error', () => undefined);
      server.unref();
      const remove = () => removeOwn(path, ino);
      resolve({ path, remove, close: () => closeServer(remove) });
    } catch (error) {
      server.close();
      reject(cannotListen(path, error));
    }
  });
  process.umask(mask);
  return promise;

  async function closeServer(remove: () => void): Promise<void> {
    const closed = new Promise<void>((done) => server.close(() => done()));
    remove();
    for (const socket of sockets) socket.destroy();
    await closed;
  }
}

/** Another process may have put its own there meanwhile. */
function removeOwn(path: string, ino: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true });
}

function readRequest(socket: Socket, done: (request: AdminRequest | undefined) => void): void {
  let text = '';
  const onData = (chunk: string) => {
    text += chunk;
    const end = text.indexOf('\n');
    if (end < 0 && text.length <= MAX_REQUEST_BYTES) return;
    socket.off('data', onData);
    socket.resume();
    done(end < 0 ? undefined : parseRequest(text.slice(0, end)));
  };
  socket.setEncoding('utf8').on('data', onData);
}

async function answer(
  socket: Socket,
  request: AdminRequest | undefined,
  commands: AdminServerSpec['commands'],
): Promise<void> {
  try {
    await sendLines(socket, await run(request, commands));
    send(socket, { end: true });
  } catch (error) {
    send(socket, { error: problemOf(error) });
  }
  socket.end();
}

function run(
  request: AdminRequest | undefined,
  commands: AdminServerSpec['commands'],
): Iterable<string> | Promise<Iterable<string>> {
  const known = request !== undefined && Object.hasOwn(commands, request.command);
  const command = known ? commands[request.command] : undefined;
  if (request !== undefined && command !== undefined) return command(request.args);
  const received = request === undefined ? 'something else' : JSON.stringify(request.command);
  throw new AppError('ADMIN_REQUEST', `Cannot answer: there is no such command: received ${received}`, {
    hint: `The commands are: ${Object.keys(commands).join(', ')}`,
  });
}

/** As fast as the client reads, and never longer at a time than the server's own work can wait. */
async function sendLines(socket: Socket, lines: Iterable<string>): Promise<void> {
  let count = 0;
  for (const line of lines) {
    if (socket.destroyed) return;
    const isFull = !send(socket, { line });
    if (isFull) await drained(socket);
    else if (++count % LINES_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

function send(socket: Socket, message: AdminAnswer): boolean {
  return socket.write(`${JSON.stringify(message)}\n`);
}

function problemOf(error: unknown): { code: string; message: string; hint?: string } {
  if (!(error instanceof AppError)) return { code: 'ADMIN_REQUEST', message: errorText(error) };
  const { code, message, hint } = error;
  return { code, message, ...(hint !== undefined && { hint }) };
}

function cannotListen(path: string, error: unknown): AppError {
  return new AppError('ADMIN_LISTEN', `Cannot open the admin socket: ${errorText(error)}: received ${path}`, {
    cause: error,
    hint: ADMIN_ERRORS.ADMIN_LISTEN.cure,
  });
}
