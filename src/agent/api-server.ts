/**
 * The agent's API on a unix socket, mode 0600: names that pods ask for are personal data. Answers are made from what the
 * given functions return at that moment; a stream of flows is written no faster than its reader takes it, and a reader
 * that leaves ends it. Bodies are bounded; a bad request gets a problem, never a crash.
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { AppError, errorCode } from '../fault/app-error.ts';
import type { GetFlowsRequest } from '../flow/api.ts';
import type { FlowLog } from '../flow/flow-log.ts';
import { formatJson } from '../flow/print/json.ts';
import { type FlowQuery, parseFlowsRequest, readFlows } from '../flow/read-flows.ts';
import type { Turns } from '../flow/turns.ts';
import { makeDirectory } from '../sys/bpffs.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { AgentErrorCode } from './errors.ts';
import type { AgentStatus, ApiProblem, LbListing, LrpListing, ServiceListing } from './wire.ts';

export interface ApiServerOptions {
  readonly socketPath: string;
  readonly nodeName: string;
  readonly flows: () => FlowLog;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly log: Pick<Log, 'error'>;
  readonly lrp: () => LrpListing;
  readonly lb: () => LbListing;
  readonly service: () => ServiceListing;
  /** `followers` is how many streams of flows are open. */
  readonly status: (followers: number) => Promise<AgentStatus>;
}

export interface ApiServer {
  /** Ends every stream and removes the socket. */
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 1 << 20;
const SOCKET_MODE = 0o600;

/** Throws `AppError` AGENT_SOCKET_TAKEN or AGENT_SOCKET_UNUSABLE. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  await makeRoom(options.socketPath);
  const streams = new Set<AbortController>();
  const server = createServer((request, response) => {
    answer({ request, response, options, streams }).catch((error: unknown) => {
      options.log.error(`Cannot answer ${request.method} ${request.url}: ${String(error)}`);
      response.destroy();
    });
  });
  await listen(server, options.socketPath);
  return {
    close: () =>
      new Promise((resolve) => {
        for (const stream of streams) stream.abort();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly options: ApiServerOptions;
  readonly streams: Set<AbortController>;
}

async function answer(exchange: Exchange): Promise<void> {
  const { request, response, options, streams } = exchange;
  response.on('error', () => response.destroy());
  switch (`${request.method} ${request.url?.split('?')[0]}`) {
    case 'GET /healthz':
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
      return;
    case 'GET /v1/lrp':
      return sendJson(response, 200, options.lrp());
    case 'GET /v1/bpf/lb':
      return sendJson(response, 200, options.lb());
    case 'GET /v1/service':
      return sendJson(response, 200, options.service());
    case 'GET /v1/status':
      return sendJson(response, 200, await options.status(streams.size));
    case 'POST /v1/flows':
      return sendFlows(exchange);
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

async function sendFlows(exchange: Exchange): Promise<void> {
  const { response, options, streams } = exchange;
  const query = await readQuery(exchange);
  if (query === undefined) return;
  const abort = new AbortController();
  streams.add(abort);
  response.on('close', () => abort.abort());
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  try {
    const { nodeName, clock, turns } = options;
    const reading = { log: options.flows(), query, nodeName, clock, turns, signal: abort.signal };
    for await (const each of readFlows(reading)) {
      if (!response.write(`${formatJson(each)}\n`)) await drained(response, abort.signal);
    }
    response.end();
  } finally {
    streams.delete(abort);
  }
}

/** Undefined when the request has been refused already. */
async function readQuery({ request, response }: Exchange): Promise<FlowQuery | undefined> {
  const body = await readBody(request);
  const parsed = body === undefined ? undefined : parseJson(body);
  if (typeof parsed !== 'object' || parsed === null) {
    const message = `Cannot read the request: it is not a JSON object of at most ${MAX_BODY_BYTES} bytes`;
    sendJson(response, 400, { code: 'FLOW_REQUEST_INVALID', message } satisfies ApiProblem);
    return undefined;
  }
  const query = parseFlowsRequest(parsed as GetFlowsRequest);
  if (query.ok) return query.value;
  const message = `Cannot answer the request for flows: ${query.reason ?? query.code}`;
  sendJson(response, 400, { code: query.code, message } satisfies ApiProblem);
  return undefined;
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) {
    text += chunk;
    if (text.length > MAX_BODY_BYTES) return undefined;
  }
  return text === '' ? '{}' : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whoever sent it is told by the caller; the parser's own words add nothing.
    return undefined;
  }
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.on('drain', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
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
