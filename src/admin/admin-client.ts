/** Asks a running server over its admin socket. Absence and refusals are `AppError`s with a cure. */
import { createConnection, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { AppError, errorText } from '../fault/app-error.ts';
import { ADMIN_ERRORS } from './errors.ts';
import { adminDirectory, listSockets } from './socket-path.ts';
import { type AdminRequest, parseAnswer } from './wire.ts';

/** A server that says nothing for so long is stuck. */
const SILENCE_MS = 10_000;

export interface FindOptions {
  /** As given by `--socket`. */
  readonly socket?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The socket of the one server that runs here. Rejects with ADMIN_NOBODY and ADMIN_SEVERAL. */
export async function findAdminSocket({ socket, env }: FindOptions): Promise<string> {
  if (socket !== undefined) return socket;
  const directory = adminDirectory(env);
  const alive = (await listSockets(directory)).filter(({ isAlive }) => isAlive);
  const [only, ...others] = alive;
  if (only === undefined) {
    throw new AppError('ADMIN_NOBODY', `Cannot find a running server: no socket is left in ${directory}`, {
      hint: ADMIN_ERRORS.ADMIN_NOBODY.cure,
    });
  }
  if (others.length === 0) return only.path;
  throw new AppError('ADMIN_SEVERAL', `Cannot choose a server: ${alive.length} run here`, {
    hint: `Name one: ${alive.map(({ path }) => `--socket ${path}`).join(' or ')}`,
  });
}

/** Lines of the answer as they come. */
export async function* askAdmin(path: string, request: AdminRequest): AsyncGenerator<string, void, void> {
  const socket = await connect(path);
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    for await (const text of createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })) {
      const answer = parseAnswer(text);
      if (answer === undefined) break;
      if ('end' in answer) return;
      if ('error' in answer) throw refusal(answer.error);
      yield answer.line;
    }
  } finally {
    socket.destroy();
  }
  throw unreachable(path, 'the connection ended before the answer did');
}

function connect(path: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = createConnection(path);
  const failed = (error: Error) => reject(unreachable(path, errorText(error)));
  socket.once('error', failed);
  socket.once('connect', () => {
    socket.off('error', failed);
    // What breaks later ends the lines, which is told then.
    socket.on('error', () => socket.destroy());
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    resolve(socket);
  });
  return promise;
}

function refusal({ code, message, hint }: { code: string; message: string; hint?: string }): AppError {
  return new AppError(code, message, hint === undefined ? {} : { hint });
}

function unreachable(path: string, reason: string): AppError {
  return new AppError('ADMIN_UNREACHABLE', `Cannot ask the server: ${reason}: received ${path}`, {
    hint: ADMIN_ERRORS.ADMIN_UNREACHABLE.cure,
  });
}
