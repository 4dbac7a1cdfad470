/**
 * The agent's API on a unix socket, mode 0600: what it tells of pods is for root. Answers are made from what the given
 * functions return at that moment; a bad request gets a problem, never a crash. Flows are Hubble's API's to give, which has
 * a socket of its own.
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { AppError, errorCode } from '../fault/app-error.ts';
import { makeDirectory } from '../sys/bpffs.ts';
import type { Log } from '../telemetry/log.ts';
import type { AgentErrorCode } from './errors.ts';
import type {
  AgentStatus,
  AnswerListing,
  ApiProblem,
  LbListing,
  LrpListing,
  ServiceListing,
} from './wire.ts';

export interface ApiServerOptions {
  readonly socketPath: string;
  readonly log: Pick<Log, 'error'>;
  readonly lrp: () => LrpListing;
  readonly lb: () => LbListing;
  readonly answers: () => Promise<AnswerListing>;
  readonly service: () => ServiceListing;
  readonly status: () => Promise<AgentStatus>;
}

export interface ApiServer {
  /** Ends what is under way and removes the socket. */
  close(): Promise<void>;
}

const SOCKET_MODE = 0o600;

/** Throws `AppError` AGENT_SOCKET_TAKEN or AGENT_SOCKET_UNUSABLE. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  await makeRoom(options.socketPath);
  const server = createServer((request, response) => {
    answer({ request, response, options }).catch((error: unknown) => {
      options.log.error(`Cannot answer ${request.method} ${request.url}: ${String(error)}`);
      response.destroy();
    });
  });
  await listen(server, options.socketPath);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly options: ApiServerOptions;
}

async function answer(exchange: Exchange): Promise<void> {
  const { request, response, options } = exchange;
  response.on('error', () => response.destroy());
  switch (`${request.method} ${request.url?.split('?')[0]}`) {
    case 'GET /healthz':
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
      return;
    case 'GET /v1/lrp':
      return sendJson(response, 200, options.lrp());
    case 'GET /v1/bpf/lb':
      return sendJson(response, 200, options.lb());
    case 'GET /v1/bpf/answers':
      return sendJson(response, 200, await options.answers());
    case 'GET /v1/service':
      return sendJson(response, 200, options.service());
    case 'GET /v1/status':
      return sendJson(response, 200, await options.status());
    default: {
      const code: AgentErrorCode = 'AGENT_REQUEST_REFUSED';
      const message = `Cannot answer: there is no such path: received ${request.method} ${request.url}`;
      return sendJson(response, 404, { code, message } satisfies ApiProblem);
    }
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

/** A socket that a killed agent left behind is removed; one that answers is somebody's. */
async function makeRoom(path: string): Promise<void> {
  try {
    makeDirectory(dirname(path), { mode: 0o755 });
    if (!lstatSync(path).isSocket()) throw unusable(path, 'a file of another kind has this name');
    if (await answers(path)) {
      const code: AgentErrorCode = 'AGENT_SOCKET_TAKEN';
      throw new AppError(code, `Cannot listen: another agent does: received ${path}`);
    }
    unlinkSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    const said = error instanceof AppError && error.code !== 'SYS_CALL_FAILED';
    throw said ? error : unusable(path, 'its directory cannot be used', error);
  }
}

function unusable(path: string, reason: string, cause?: unknown): AppError {
  const code: AgentErrorCode = 'AGENT_SOCKET_UNUSABLE';
  return new AppError(code, `Cannot listen: ${reason}: received ${path}`, {
    cause,
    hint: 'Run as root, or give another path with --socket',
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.on('connect', () => done(true));
    socket.on('error', () => done(false));
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', (error) => reject(unusable(path, 'the socket cannot be made', error)));
    // Narrow from its first moment: chmod alone would leave it open to all in between.
    const before = process.umask(0o177);
    server.listen(path, () => {
      chmodSync(path, SOCKET_MODE);
      resolve();
    });
    process.umask(before);
  });
}
