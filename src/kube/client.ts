/**
 * HTTP to one API server: JSON requests and watch streams. The only file that loads undici, and only its agent: the
 * package's front door brings proxies, mocks and web sockets along, which take as long to load as the whole server.
 * HTTP/1.1, one connection per watch plus a few for requests. A client holds sockets until `close()`; nothing is retried
 * here. Certificates that were replaced on disk are used from the next request on; watches keep their connection.
 */
import type { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import type { Dispatcher } from 'undici';
import { AppError, errorCode, errorText } from '../fault/app-error.ts';
import { type Clock, systemClock } from '../telemetry/clock.ts';
import { answerError } from './answer-error.ts';
import type { KubeConfig, KubeTls } from './config/config.ts';
import type { KubeErrorCode } from './errors.ts';

type Undici = typeof import('undici');
const load = createRequire(import.meta.url);
const Agent = load('undici/lib/dispatcher/agent') as Undici['Agent'];
const { request } = load('undici/lib/api') as { readonly request: AgentRequest };

/** What the package's front door makes a method of every dispatcher. */
type AgentRequest = (
  this: Dispatcher,
  options: Dispatcher.RequestOptions,
) => Promise<Dispatcher.ResponseData>;

/** A page of 500 objects of the largest size etcd accepts (1.5 MiB) would be 750 MiB; pods are near 10 KiB. */
const ANSWER_MAX_BYTES = 64 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 5_000;
/** Until an answer begins, and between two pieces of it. */
const ANSWER_TIMEOUT_MS = 30_000;
/** A whole answer: a server that sends a byte now and then would have us wait for ever. */
const ANSWER_WHOLE_MS = 120_000;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export type PatchType = 'merge' | 'strategic-merge' | 'json';

export interface KubeClient {
  /** The server's address for messages. */
  readonly server: string;
  /** Every method throws `AppError` with a code of `KUBE_ERRORS`; paths begin with a slash. */
  get(path: string, query?: Query, signal?: AbortSignal): Promise<unknown>;
  create(path: string, body: unknown): Promise<unknown>;
  replace(path: string, body: unknown): Promise<unknown>;
  patch(path: string, body: unknown, type?: PatchType): Promise<unknown>;
  delete(path: string): Promise<unknown>;
  /** The raw body of a long answer, once its status is known to be 200. Abort `signal` to end it. */
  stream(path: string, query: Query, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Breaks every open request and stream. */
  close(): void;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
  /** 0 waits for ever: the caller watches the stream itself. */
  readonly bodyTimeoutMs: number;
}

type Answer = Dispatcher.ResponseData;

export function createKubeClient(config: KubeConfig, clock: Clock = systemClock): KubeClient {
  const { server } = config;
  const agents = rotatingAgent(config);
  const json = async (call: Omit<Call, 'bodyTimeoutMs'>): Promise<unknown> => {
    const full = { ...call, bodyTimeoutMs: ANSWER_TIMEOUT_MS };
    const answer = await send(config, agents.current(), full);
    const text = await readBody(answer, full, { server, clock });
    if (answer.statusCode >= 300) throw refusal(answer, describe(full, server), text);
    return parseAnswer(text, full, server);
  };
  return {
    server: config.socketPath === undefined ? server : `unix:${config.socketPath}`,
    get: (path, query, signal) => json({ method: 'GET', path, query, signal }),
    create: (path, body) => json({ method: 'POST', path, body }),
    replace: (path, body) => json({ method: 'PUT', path, body }),
    patch: (path, body, type = 'merge') =>
      json({ method: 'PATCH', path, body, contentType: `application/${type}-patch+json` }),
    delete: (path) => json({ method: 'DELETE', path }),
    async stream(path, query, signal) {
      const call: Call = { method: 'GET', path, query, signal, bodyTimeoutMs: 0 };
      const answer = await send(config, agents.current(), call);
      if (answer.statusCode === 200) return answer.body;
      throw refusal(answer, describe(call, server), await readBody(answer, call, { server, clock }));
    },
    close: () => agents.close(),
  };
}

function refusal(answer: Answer, what: string, body: string): AppError {
  return answerError(what, answer.statusCode, { body, retryAfter: answer.headers['retry-after'] });
}

/** One agent at a time; one whose certificates were replaced ends with the last of its requests. */
function rotatingAgent(config: KubeConfig): { current(): Dispatcher; close(): void } {
  const open = new Set<Dispatcher>();
  const fixed = config.tls ?? {};
  let tls: KubeTls | undefined;
  let agent: Dispatcher | undefined;
  return {
    current() {
      const now = config.freshTls?.() ?? fixed;
      if (agent !== undefined && tls === now) return agent;
      const before = agent;
      tls = now;
      agent = openAgent(config, now);
      open.add(agent);
      if (before !== undefined) void before.close().finally(() => open.delete(before));
      return agent;
    },
    close() {
      for (const each of open) void each.destroy();
    },
  };
}

function openAgent({ socketPath }: KubeConfig, tls: KubeTls): Dispatcher {
  return new Agent({
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    connect: {
      timeout: CONNECT_TIMEOUT_MS,
      ...(socketPath === undefined ? {} : { socketPath }),
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
      ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
      rejectUnauthorized: tls.insecure !== true,
    },
  });
}

async function send(config: KubeConfig, agent: Dispatcher, call: Call): Promise<Answer> {
  const token = config.token?.();
  const { body } = call;
  try {
    // The server's address may have a path of its own: a proxy in front of several clusters.
    const { origin, pathname, search } = new URL(`${config.server}${call.path}${formatQuery(call.query)}`);
    return await request.call(agent, {
      origin,
      path: pathname + search,
      method: call.method,
      headers: {
        accept: 'application/json',
        'user-agent': 'zerohop',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: call.bodyTimeoutMs,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
  } catch (error) {
    throw unreachable(call, config.server, error);
  }
}

/** Starts with `?`, or is empty. Undefined and empty values are left out. */
function formatQuery(query: Query = {}): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') pairs.set(name, String(value));
  }
  return pairs.size === 0 ? '' : `?${pairs}`;
}

async function readBody(
  answer: Answer,
  call: Call,
  { server, clock }: { readonly server: string; readonly clock: Clock },
): Promise<string> {
  const chunks: Buffer[] = [];
  const deadlineMs = clock.monotonicMs() + ANSWER_WHOLE_MS;
  let size = 0;
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > ANSWER_MAX_BYTES) break;
      if (clock.monotonicMs() > deadlineMs) throw new Error('the answer does not come to its end');
      chunks.push(chunk);
    }
  } catch (error) {
    throw unreachable(call, server, error);
  }
  if (size > ANSWER_MAX_BYTES) {
    const code: KubeErrorCode = 'KUBE_ANSWER_TOO_LARGE';
    throw new AppError(
      code,
      `Cannot ${describe(call, server)}: the answer is too large: received ${size} bytes`,
    );
  }
  return new TextDecoder().decode(concat(chunks, size));
}

function concat(chunks: readonly Buffer[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

function parseAnswer(text: string, call: Call, server: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const code: KubeErrorCode = 'KUBE_BAD_ANSWER';
    const start = JSON.stringify(text.slice(0, 80));
    throw new AppError(code, `Cannot ${describe(call, server)}: the answer is not JSON: received ${start}`, {
      cause: error,
    });
  }
}

function describe(call: Call, server: string): string {
  return `${call.method} ${call.path} at ${server}`;
}

function unreachable(call: Call, server: string, error: unknown): AppError {
  const code: KubeErrorCode = 'KUBE_UNREACHABLE';
  const received = errorCode(error) ?? 'no answer';
  return new AppError(code, `Cannot ${describe(call, server)}: ${errorText(error)}: received ${received}`, {
    cause: error,
  });
}
